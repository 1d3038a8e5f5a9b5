// Payload mapping by scripts (spec/mapping.md §5.8), run by JavaScriptCore, which is loaded when the first such mapper
// is made and not before.

/// The kind `JavaScript`.
public enum JavaScriptMapper {}
