// The names that the reference's logs have for commands and responses; users of connections search for them
// (spec/connectivity.md §13).
import TwinspanProtocol

extension ThingResource {
    /// The name of a command on this resource, e.g. `modifyAttribute`.
    func typeName(_ action: ThingCommand.Action) -> String {
        switch action {
        case .create: "createThing"
        case .merge: "mergeThing"
        case .modify: "modify\(typeName)"
        case .retrieve: "retrieve\(typeName)"
        case .delete: "delete\(typeName)"
        }
    }

    private var typeName: String {
        switch kind {
        case .thing: "Thing"
        case .policyID: "PolicyId"
        case .definition: "ThingDefinition"
        case .attributes: "Attributes"
        case .attribute: "Attribute"
        case .features: "Features"
        case .feature: "Feature"
        case .featureDefinition: "FeatureDefinition"
        case .properties: "FeatureProperties"
        case .property: "FeatureProperty"
        case .desiredProperties: "FeatureDesiredProperties"
        case .desiredProperty: "FeatureDesiredProperty"
        }
    }
}
