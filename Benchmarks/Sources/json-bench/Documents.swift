/// The texts that are parsed: commands with a whole thing inside, about 700 bytes each, compact.
struct Documents {
    let texts: [[UInt8]]

    /// Length of all texts together.
    var bytes: Int { texts.reduce(0) { $0 + $1.count } }

    init(count: Int) {
        texts = (0..<count).map { number in Array(Self.command(number).utf8) }
    }

    private static func command(_ number: Int) -> String {
        let note = number.isMultiple(of: 4) ? "K\\u00fchlkreis \\\"B\\\" \\n geprüft" : "cooling circuit B checked"
        return #"{"topic":"bench/device-\#(number)/things/twin/commands/modify","headers":{"response-required":false,"#
            + #""correlation-id":"bench-\#(number)","content-type":"application/vnd.eclipse.ditto+json"},"path":"/","#
            + #""value":{"thingId":"bench:device-\#(number)","policyId":"bench:fleet","attributes":{"#
            + #""manufacturer":"Example Works","model":"P-300","location":{"site":"north","floor":2,"#
            + #""position":[48.137\#(number),11.575\#(number),519]},"commissioned":true,"note":"\#(note)"},"#
            + #""features":{"engine":{"properties":{"speed":\#(1000 + number),"temperature":71.5,"#
            + #""status":"running","error":null}},"battery":{"properties":{"charge":87,"voltage":12.4,"cycles":312}},"#
            + #""network":{"properties":{"signal":-67,"address":"198.51.100.17"}}}}}"#
    }
}
