// From `access` of `twinspan.yaml` to the engine's settings: the two know nothing of each other.
import TwinspanConnections
import TwinspanEngine
import TwinspanPolicies

extension AccessSettings {
    /// The settings of a configuration that was read without errors.
    init(_ configuration: AccessConfiguration) {
        let announcements = configuration.announcements
        self.init(
            // The reader has refused patterns that are none.
            namespaceRoots: NamespaceRoots(configuration.namespacePolicies.map { ($0.pattern, $0.policies) }) ?? .none,
            creation: CreationRules(
                grant: configuration.creation.grant.map(CreationRules.Rule.init),
                revoke: configuration.creation.revoke.map(CreationRules.Rule.init)),
            preventsLockout: configuration.lockoutPrevention, deliversPartialEvents: configuration.partialAccessEvents,
            expiryGranularity: configuration.subjectExpiryGranularity,
            announcements: AnnouncementSettings(
                granularity: announcements.granularity, randomizationInterval: announcements.randomizationInterval,
                gracePeriod: announcements.gracePeriod, longestWait: announcements.timeoutMax,
                announcesDeletions: announcements.whenDeleted),
            tokenSubject: configuration.tokenIntegrationSubject)
    }
}

extension CreationRules.Rule {
    fileprivate init(_ rule: AccessConfiguration.CreationRule) {
        self.init(
            rule.resourceTypes.map { entity in
                switch entity {
                case .policy: .policy
                case .thing: .thing
                }
            },
            namespaces: rule.namespaces, subjects: rule.authSubjects, definitions: rule.thingDefinitions)
    }
}
