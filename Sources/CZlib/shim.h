// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

#ifndef ROLLCALL_CZLIB_SHIM_H
#define ROLLCALL_CZLIB_SHIM_H

#include <zlib.h>

// `inflateInit2` is a macro, which Swift cannot see.
static inline int rollcall_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

static inline int rollcall_deflate_init(z_stream *stream, int window_bits) {
    return deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}

#endif
