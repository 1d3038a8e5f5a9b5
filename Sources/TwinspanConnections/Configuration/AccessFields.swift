// The keys below `access` of `twinspan.yaml`: one declaration each.

enum AccessFields {
    typealias Part = Field<Located<YAMLNode>?>

    static let namespacePolicies = Part.part(
        "namespacePolicies", .textsMap, default: "{}",
        limit: "keys are a namespace, a namespace followed by '.*', or '*'",
        "Policies whose implicit entries count for all policies of a namespace.")
    static let entityCreation = Part.part(
        "entityCreation", .object("entityCreation"), "Who may create things and policies.")
    static let lockoutPrevention = Field<Bool>.flag(
        "lockoutPrevention", default: true,
        "Whether a policy must keep a permanent subject with WRITE on `policy:/`.")
    static let partialAccessEvents = Field<Bool>.flag(
        "partialAccessEvents", default: true,
        "Whether who may read a part of a thing gets that part of its events; otherwise events go to those who may "
            + "read all of it.")
    static let subjectExpiryGranularity = Field<Duration>.span(
        "subjectExpiryGranularity", default: "1h", "To what expiries of subjects are rounded up.")
    static let tokenIntegrationSubject = Field<Located<String>?>.text(
        "tokenIntegrationSubject", default: "integration:{{policy-entry:label}}:{{jwt:aud}}",
        limit: "placeholders jwt:*, header:* and policy-entry:label",
        "The template of subjects that token integration adds to policies.")
    static let announcements = Part.part(
        "announcements", .object("announcements"), "How the removal of subjects is announced.")
    static let group = FieldGroup(
        "access",
        [
            namespacePolicies.declaration, entityCreation.declaration, lockoutPrevention.declaration,
            partialAccessEvents.declaration, subjectExpiryGranularity.declaration,
            tokenIntegrationSubject.declaration, announcements.declaration,
        ])

    static let grant = Part.part(
        "grant", .objects("creation rule"), default: "[{}]", "A creation needs one of these rules to match.")
    static let revoke = Part.part(
        "revoke", .objects("creation rule"), default: "[]", "A creation is refused if one of these rules matches.")
    static let creationGroup = FieldGroup("entityCreation", [grant.declaration, revoke.declaration])

    static let resourceTypes = Field<[Located<String>]>.texts(
        "resourceTypes", limit: "policy, thing", "What is created; anything when empty.")
    static let namespaces = Field<[Located<String>]>.texts(
        "namespaces", "Patterns of namespaces, with `*` and `?`; any when empty.")
    static let authSubjects = Field<[Located<String>]>.texts(
        "authSubjects", "Patterns of the creator's subjects; anybody when empty.")
    static let thingDefinitions = Part.part(
        "thingDefinitions", .textsOrNull, default: "[]",
        "Patterns of definitions of things; null stands for a thing without one; any when empty.")
    static let ruleGroup = FieldGroup(
        "creation rule",
        [
            resourceTypes.declaration, namespaces.declaration, authSubjects.declaration,
            thingDefinitions.declaration,
        ])

    static let granularity = Field<Duration>.span(
        "granularity", default: "1m", "To what `beforeExpiry` of subjects is rounded up.")
    static let randomizationInterval = Field<Duration>.span(
        "randomizationInterval", default: "5m", "Over how long announcements are spread, unless a subject says it.")
    static let gracePeriod = Field<Duration>.span(
        "gracePeriod", default: "4h", "How long an expired subject stays whose announcement nobody acknowledges.")
    static let timeoutMax = Field<Duration>.span(
        "timeoutMax", default: "60s", "The longest wait for requested acknowledgements.")
    static let whenDeleted = Field<Bool>.flag(
        "whenDeleted", default: true, "Whether removals are announced where subjects ask for it.")
    static let announcementsGroup = FieldGroup(
        "announcements",
        [
            granularity.declaration, randomizationInterval.declaration, gracePeriod.declaration,
            timeoutMax.declaration, whenDeleted.declaration,
        ])

    static let groups = [group, creationGroup, ruleGroup, announcementsGroup]
}
