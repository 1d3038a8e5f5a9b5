// Runs mapping.js in Node.js: bytes in, the bytes of a command out. Usage: node mapping-node.js MILLISECONDS
// Prints {"ns":…,"rss":…}, nanoseconds per message and resident bytes.
const vm = require('vm');
const file = require('path').join(__dirname, 'mapping.js');
vm.runInThisContext(require('fs').readFileSync(file, 'utf8'), { filename: file });

function payload(number) {
  return Buffer.from(
    `{"device":"device-${number % 100}","number":${number},"at":"2030-01-01T12:00:00.000Z","values":{"speed":`
    + `${1000 + number % 97},"temperature":71.5,"status":"running"},"units":{"speed":"rpm","temperature":"°C",`
    + `"status":null}}`);
}

const messages = Array.from({ length: 256 }, (_, number) => payload(number));

function map(bytes) {
  const headers = { 'content-type': 'application/json', device: 'gateway' };
  const result = mapToDittoProtocolMsg(headers, bytes.toString('utf8'), bytes, 'application/json');
  return Buffer.from(JSON.stringify(result)).length;
}

function run(milliseconds) {
  let count = 0;
  const start = process.hrtime.bigint();
  const end = start + BigInt(milliseconds) * 1000000n;
  do {
    for (const message of messages) if (map(message) < 100) throw new Error('nothing was written');
    count += messages.length;
  } while (process.hrtime.bigint() < end);
  return Number(process.hrtime.bigint() - start) / count;
}

const milliseconds = Number(process.argv[2] || 300);
run(milliseconds);
console.log(JSON.stringify({ ns: run(milliseconds), rss: process.memoryUsage.rss() }));
