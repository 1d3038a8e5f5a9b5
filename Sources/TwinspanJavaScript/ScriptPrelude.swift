// What scripts find when they start (spec/mapping.md §5.8): the default functions, the object `Ditto`, and our own two
// entries, which the script does not see. Written so that a script may replace every global of it.

enum ScriptPrelude {
    /// The names of the two entries, and of what gives an exception in words.
    static let incoming = "incoming"
    static let outgoing = "outgoing"
    static let describe = "describe"

    static let source = ScriptSource(text: text, file: "twinspan", line: 1)

    /// Evaluates to an object with these functions.
    ///
    /// `incoming(text, bytes, head)` gives one line of JSON per message, or undefined. `head` is the JSON of the
    /// content type and the headers.
    ///
    /// `outgoing(text)` gives one text, or an array of it and the binary payloads, or undefined. The text begins with a
    /// line of numbers: per message the length of the payload, -1 for the next binary one, the number of headers, and
    /// the lengths of their names and values; behind it stand all of these in their order.
    ///
    /// `describe(exception)` gives an array of texts: its own, its stack, its file and its line.
    private static let text = #"""
        (function (global) {
          'use strict';
          const { parse, stringify } = JSON;
          const { isArray } = Array;
          const { isView } = ArrayBuffer;
          const fromCharCode = String.fromCharCode;
          const Bytes = Uint8Array;
          const dittoType = 'application/vnd.eclipse.ditto+json';

          // There is nobody to talk to, and nothing to share with. This tidies; the limits confine.
          for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'console', 'WeakRef',
              'FinalizationRegistry', 'Promise', 'queueMicrotask', 'AsyncDisposableStack', 'ShadowRealm', 'eval',
              'Function']) {
            delete global[name];
          }
          delete Array.fromAsync;
          // Text cannot become code either: what is refused in a script's own text could come in that way.
          for (const made of [function () {}, function* () {}]) {
            Object.defineProperty(Object.getPrototypeOf(made), 'constructor', { value: undefined });
          }

          function refuse(text) {
            const error = new Error(text);
            error.name = '';
            throw error;
          }

          function kind(value) {
            if (isArray(value)) return 'an array';
            if (typeof value === 'string') return 'the text "' + value.slice(0, 40) + '"';
            if (typeof value === 'object') return 'an object';
            return 'a ' + typeof value;
          }

          function message(value, name) {
            if (typeof value !== 'object' || isArray(value)) {
              refuse(name + ' has returned ' + kind(value) + ', not an object, an array of objects or null');
            }
            if (typeof value.then === 'function') refuse(name + ' has returned a promise, not its result');
            return value;
          }

          // MARK: the object Ditto

          function buildDittoProtocolMsg(namespace, name, group, channel, criterion, action, path, dittoHeaders, value,
              status, extra) {
            const subject = channel === 'none' ? '' : '/' + channel;
            return {
              topic: namespace + '/' + name + '/' + group + subject + '/' + criterion + '/' + action,
              path: path, headers: dittoHeaders, value: value, status: status, extra: extra
            };
          }

          function buildExternalMsg(headers, textPayload, bytePayload, contentType) {
            return { headers: headers, textPayload: textPayload, bytePayload: bytePayload, contentType: contentType };
          }

          function arrayBufferToString(buffer) {
            const bytes = view(buffer);
            let text = '';
            for (let start = 0; start < bytes.length; start += 4096) {
              text += fromCharCode.apply(null, bytes.subarray(start, start + 4096));
            }
            return text;
          }

          function stringToArrayBuffer(text) {
            const bytes = new Bytes(text.length);
            for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
            return bytes.buffer;
          }

          function asByteBuffer(buffer) {
            if (typeof dcodeIO === 'undefined') refuse('Ditto.asByteBuffer needs bytebuffer.js, which is not included');
            return dcodeIO.ByteBuffer.wrap(buffer);
          }

          function view(buffer) {
            return isView(buffer) ? new Bytes(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Bytes(buffer);
          }

          global.Ditto = {
            buildDittoProtocolMsg: buildDittoProtocolMsg, buildExternalMsg: buildExternalMsg,
            arrayBufferToString: arrayBufferToString, stringToArrayBuffer: stringToArrayBuffer,
            asByteBuffer: asByteBuffer
          };

          // MARK: the defaults

          global.mapToDittoProtocolMsg = function mapToDittoProtocolMsg(headers, textPayload, bytePayload,
              contentType) {
            if (contentType === dittoType) return parse(textPayload);
            if (contentType !== 'application/octet-stream') return null;
            try {
              return parse(arrayBufferToString(bytePayload));
            } catch (error) {
              return null;
            }
          };

          global.mapToDittoProtocolMsgWrapper = function mapToDittoProtocolMsgWrapper(externalMsg) {
            return mapToDittoProtocolMsg(externalMsg.headers, externalMsg.textPayload, externalMsg.bytePayload,
              externalMsg.contentType);
          };

          global.mapFromDittoProtocolMsg = function mapFromDittoProtocolMsg(namespace, name, group, channel, criterion,
              action, path, dittoHeaders, value, status, extra) {
            const made = buildDittoProtocolMsg(namespace, name, group, channel, criterion, action, path, dittoHeaders,
              value, status, extra);
            // Errors have no action.
            if (action === undefined) made.topic = made.topic.slice(0, -'/undefined'.length);
            return buildExternalMsg(dittoHeaders, stringify(made), undefined, dittoType);
          };

          global.mapFromDittoProtocolMsgWrapper = function mapFromDittoProtocolMsgWrapper(dittoProtocolMsg) {
            const m = dittoProtocolMsg;
            const part = m.topic.split('/');
            const hasChannel = part[2] === 'things';
            const next = hasChannel ? 4 : 3;
            return mapFromDittoProtocolMsg(part[0], part[1], part[2], hasChannel ? part[3] : 'none', part[next],
              part[next + 1], m.path, m.headers, m.value, m.status, m.extra);
          };

          // MARK: the entries

          function incoming(text, bytes, head) {
            const parts = parse(head);
            const result = mapToDittoProtocolMsgWrapper(
              { headers: parts[1], textPayload: text, bytePayload: bytes, contentType: parts[0] });
            if (result === null || result === undefined) return undefined;
            if (!isArray(result)) return line(result);
            let lines = undefined;
            for (let index = 0; index < result.length; index++) {
              if (result[index] === null || result[index] === undefined) continue;
              lines = (lines === undefined ? '' : lines + '\n') + line(result[index]);
            }
            return lines;
          }

          function line(value) {
            const text = stringify(message(value, 'mapToDittoProtocolMsg'));
            return text === undefined ? refuse('mapToDittoProtocolMsg has returned an object without JSON') : text;
          }

          function outgoing(text) {
            const result = mapFromDittoProtocolMsgWrapper(parse(text));
            if (result === null || result === undefined) return undefined;
            const list = isArray(result) ? result : [result];
            const pack = { lengths: '', text: '', buffers: [undefined] };
            for (let index = 0; index < list.length; index++) {
              if (list[index] !== null && list[index] !== undefined) add(list[index], pack);
            }
            if (pack.lengths === '') return undefined;
            pack.buffers[0] = pack.lengths + '\n' + pack.text;
            return pack.buffers.length > 1 ? pack.buffers : pack.buffers[0];
          }

          function add(value, pack) {
            const external = message(value, 'mapFromDittoProtocolMsg');
            let payload = external.textPayload;
            let length = -1;
            if (external.bytePayload !== null && external.bytePayload !== undefined) {
              pack.buffers.push(bytesOf(external.bytePayload));
              payload = '';
            } else {
              payload = textOf(payload);
              length = payload.length;
            }
            let count = 0;
            let lengths = '';
            let texts = '';
            const headers = external.headers;
            const type = external.contentType;
            const hasType = type !== null && type !== undefined;
            for (const name in headers) {
              const header = headers[name];
              if (header === null || header === undefined) continue;
              const lower = name.toLowerCase();
              if (hasType && lower === 'content-type') continue;
              const content = typeof header === 'object' ? '' + stringify(header) : String(header);
              lengths += ' ' + lower.length + ' ' + content.length;
              texts += lower + content;
              count++;
            }
            if (hasType) {
              const content = String(type);
              lengths += ' 12 ' + content.length;
              texts += 'content-type' + content;
              count++;
            }
            pack.lengths += (pack.lengths === '' ? '' : ' ') + length + ' ' + count + lengths;
            pack.text += texts + payload;
          }

          function textOf(payload) {
            if (payload === null || payload === undefined) {
              refuse('Neither <bytePayload> nor <textPayload> were defined in the outgoing script');
            }
            if (typeof payload === 'object' || typeof payload === 'function' || typeof payload === 'symbol') {
              refuse('textPayload is ' + kind(payload) + ', not a text; make one with JSON.stringify');
            }
            return String(payload);
          }

          function bytesOf(payload) {
            if (isArray(payload)) {
              for (let index = 0; index < payload.length; index++) {
                if (typeof payload[index] !== 'number') {
                  refuse('bytePayload has ' + kind(payload[index]) + ' among its bytes');
                }
              }
              return new Bytes(payload);
            }
            if (isView(payload) || payload instanceof ArrayBuffer) return new Bytes(view(payload));
            return refuse('bytePayload is ' + kind(payload) + ', not an ArrayBuffer, a typed array or numbers');
          }

          function describe(exception) {
            const parts = ['', '', '', ''];
            try {
              parts[0] = String(exception);
              parts[1] = String(exception.stack);
              parts[2] = String(exception.sourceURL);
              parts[3] = exception.line === undefined ? '' : String(exception.line);
            } catch (error) {
              // What has no text has none.
            }
            return parts;
          }

          return { incoming: incoming, outgoing: outgoing, describe: describe };
        })(this);
        """#
}
