// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import Testing

@Suite("ModelProxy: what is read in a request")
struct ModelRequestTests {
    @Test(
        "a stream is asked for by true alone",
        arguments: [
            (#"{"stream":true}"#, true), (#"{"stream" : true }"#, true), (#"{"stream":false}"#, false),
            (#"{"stream":null}"#, false), (#"{"stream":"true"}"#, false), (#"{"stream":1}"#, false), ("{}", false),
        ])
    func streams(body: String, expected: Bool) throws {
        #expect(try ModelRequest(body: Array(body.utf8)).streams == expected)
    }

    @Test(
        "as many choices are asked for as n says, one without it",
        arguments: [
            (#"{"n":3}"#, 3), (#"{"n":2.0}"#, 2), (#"{"n":null}"#, 1), (#"{"n":0}"#, 1), (#"{"n":-4}"#, 1),
            (#"{"n":"2"}"#, 1), ("{}", 1),
        ])
    func choices(body: String, expected: Int) throws {
        #expect(try ModelRequest(body: Array(body.utf8)).choices == expected)
    }

    @Test("of a key that comes several times the last value is read, and the bytes stay")
    func lastWins() throws {
        let body = Array(
            (#"{"model":"a","stream":true,"n":2,"metadata":{"tags":["x:1"]},"messages":[],"#
                + #""n":1,"metadata":{"tags":["y:1"],"tags":["z:1"]},"str\u0065am":false,"model":"b"}"#).utf8)
        let request = try ModelRequest(body: body)
        #expect(request.model == "b" && !request.streams && request.choices == 1 && request.tags == ["z:1"])
        #expect(request.body == body)
        #expect(RequestEdits.body(body, fields: request.fields).bytes == body)
    }
}
