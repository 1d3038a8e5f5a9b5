// The registry of mappers, and what lint knows of them. A mapper from another target is added to the list here.
import TwinspanConnections
import TwinspanJSON
import TwinspanJavaScript
import TwinspanMapping
import TwinspanProtocol

enum Mappers {
    static let registry = MapperRegistry(engines: MapperRegistry.builtIn.engines + [JavaScriptMapper.engine])

    /// What the readers of connections ask: options are checked by making the mapper.
    static let rules = MapperRules(
        engines: registry.engines.map { MapperRules.Engine(name: $0.name, needsOptions: $0.needsOptions) },
        check: { name, definition in problems(name, definition) })

    private static func problems(_ name: String, _ definition: MappingDefinition) -> [MapperProblem] {
        guard let engine = registry.engine(named: definition.engine) else { return [] }
        let made = MapperDefinition(
            name: name, options: definition.options,
            incomingConditions: definition.incomingConditions.map(\.expression),
            outgoingConditions: definition.outgoingConditions.map(\.expression),
            places: definition.places.mapValues { MapperDefinition.TextPlace(file: $0.file, line: $0.line) })
        do throws(TwinspanError) {
            _ = try engine.make(made)
            return []
        } catch {
            return [problem(error, definition)]
        }
    }

    /// Finds the option that an error speaks about: by a place in its text, or by its name.
    private static func problem(_ error: TwinspanError, _ definition: MappingDefinition) -> MapperProblem {
        let text = "\(error.message) \(error.description ?? "")"
        for (option, place) in definition.places.sorted(by: { $0.key < $1.key }) {
            guard let line = line(after: place.file + ":", in: text), line >= place.line else { continue }
            return MapperProblem(option: "/\(option)", message: error.message, hint: error.description, line: line)
        }
        let named = definition.options.keys.first { key in
            ["'\(key)'", "<\(key)>", "\"\(key)\"", "`\(key)`"].contains { text.contains($0) }
        }
        return MapperProblem(
            option: named.map { "/\($0)" } ?? "", message: error.message, hint: error.description)
    }

    /// The number behind a text.
    private static func line(after prefix: String, in text: String) -> Int? {
        guard let place = text.firstRange(of: prefix) else { return nil }
        return Int(text[place.upperBound...].prefix { $0.isNumber })
    }
}

extension Adapters {
    /// What this process serves, for connections that come over HTTP.
    static let readingRules = ReadingRules(bindings: bindingRules, mappers: Mappers.rules)
}
