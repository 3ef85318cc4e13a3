// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A certificate for `localhost` and 127.0.0.1 that signs itself, with its key, for tests on loopback alone.
enum TestCertificate {
    static let pem = """
        -----BEGIN CERTIFICATE-----
        MIIBmjCCAUGgAwIBAgIUO+JjsSBYynbgfHFamOjCRYl5NTUwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE4NDYwMFoYDzIxMjYxMDMx
        MTg0NjAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAAQprlcKUSEfv7fffpItZ4Kmvig0vjzxqpHyMNIU/9ePdB6wqTwW14UC
        3AmE69KexAAK3/AZExvgBgKqtV8mlUG4o28wbTAdBgNVHQ4EFgQU8lAmX3cfa3kN
        647lUZs295csReowHwYDVR0jBBgwFoAU8lAmX3cfa3kN647lUZs295csReowDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDRwAwRAIgPyhaKYtEInEEKOj8XQCLAYsBbC+k5uetvxZLz4xGpskCIGLK
        5cXWnojGssVtbhaazKqvzER1YB9u3akmKyVKeGmQ
        -----END CERTIFICATE-----
        """

    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoU31SlWs2rLdlYEp
        wL36Oeey05Qizs4d5iGi3nNciqWhRANCAAQprlcKUSEfv7fffpItZ4Kmvig0vjzx
        qpHyMNIU/9ePdB6wqTwW14UC3AmE69KexAAK3/AZExvgBgKqtV8mlUG4
        -----END PRIVATE KEY-----
        """
}
