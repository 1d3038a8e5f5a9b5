// Everything about a signal that can be judged without a stored thing or policy, for those who check signals offline.
// The very checks that commands go through before a lock is taken, so the answers are the same.
import TwinspanPolicies
public import TwinspanProtocol

/// Checks signals without an engine.
public enum SignalCheck {
    /// Throws the error that a signal of this form is answered with, whatever the state of its thing or policy.
    public static func check(_ signal: Signal, limits: TwinLimits = TwinLimits()) throws(TwinspanError) {
        switch signal {
        case .thingCommand(let command): _ = try ThingRequest(command)
        case .policyCommand(let command):
            _ = try PreparedPolicyCommand(command, caller: nil, now: Timestamp(milliseconds: 0), limits: limits)
        case .message(let message): try message.checkSize(limits.messageBytes)
        default: break
        }
    }
}
