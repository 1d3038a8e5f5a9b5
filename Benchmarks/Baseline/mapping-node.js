// Runs mapping.js in Node.js: bytes in, the bytes of a command out. Usage: node mapping-node.js MILLISECONDS
// Prints {"ns":…,"rss":…}, nanoseconds of processor time per message and resident bytes.
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

// Microseconds of processor time of all threads, which a busy machine disturbs less than the clock.
function now() {
  const usage = process.cpuUsage();
  return usage.user + usage.system;
}

function run(milliseconds) {
  let count = 0;
  const start = now();
  do {
    for (const message of messages) if (map(message) < 100) throw new Error('nothing was written');
    count += messages.length;
  } while (now() - start < milliseconds * 1000);
  return (now() - start) * 1000 / count;
}

const milliseconds = Number(process.argv[2] || 300);
run(milliseconds);
console.log(JSON.stringify({ ns: run(milliseconds), rss: process.memoryUsage.rss() }));
