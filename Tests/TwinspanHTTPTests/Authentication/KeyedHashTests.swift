import Testing

@testable import TwinspanHTTP

@Suite("Keyed hash")
struct KeyedHashTests {
    /// The reference's key 00…0f as two little-endian words.
    private let hash = KeyedHash(key: (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908))

    @Test(
        "the tags are those of the SipHash-2-4-128 reference",
        arguments: [
            (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
        ])
    func reference(_ row: (length: Int, tag: String)) {
        let tag = (0..<row.length).map(UInt8.init).withUnsafeBytes { hash.tag(of: $0) }
        let bytes =
            withUnsafeBytes(of: tag.low.littleEndian) { Array($0) }
            + withUnsafeBytes(of: tag.high.littleEndian) { Array($0) }
        let text = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(text == row.tag)
    }

    @Test("texts that differ, also in length alone, have different tags")
    func differences() {
        let texts = [
            "", "\0", "\0\0", "a", "b", "ab", "ba", "12345678", "123456789", String(repeating: "x", count: 100),
        ]
        #expect(Set(texts.map { hash.tag(of: $0) }).count == texts.count)
    }

    @Test("two hashes with random keys have nothing in common")
    func keys() {
        #expect(KeyedHash().tag(of: "secret") != KeyedHash().tag(of: "secret"))
    }
}
