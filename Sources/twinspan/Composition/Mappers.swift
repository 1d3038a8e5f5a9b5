// The registry of mappers: those that need nothing, and the scripts.
import TwinspanJavaScript
import TwinspanMapping

enum Mappers {
    static let all = MapperRegistry(engines: MapperRegistry.builtIn.engines + [JavaScriptMapper.engine])
}
