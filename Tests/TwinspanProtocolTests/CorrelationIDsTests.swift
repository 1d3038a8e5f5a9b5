import Testing
import TwinspanProtocol

@Suite("Correlation ids")
struct CorrelationIDsTests {
    @Test("ids have the form of a random UUID and differ")
    func form() throws {
        let ids = CorrelationIDs(seed: (1, 2))
        var seen: Set<String> = []
        for _ in 0..<10_000 {
            let id = ids.next()
            #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
            seen.insert(id)
        }
        #expect(seen.count == 10_000)
    }
}
