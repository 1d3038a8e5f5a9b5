import Testing
import TwinspanMapping

@Suite("mapper Ditto")
struct DittoMapperTests {
    @Test("it is built in under its name")
    func builtIn() {
        #expect(MapperRegistry.builtIn.engine(named: "Ditto") != nil)
        #expect(MapperRegistry.builtIn.engine(named: "ditto") == nil)
    }
}
