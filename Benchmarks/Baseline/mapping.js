// The mapping that scripts are measured with: a small telemetry message becomes a command.
function mapToDittoProtocolMsg(headers, textPayload, bytePayload, contentType) {
  const message = JSON.parse(textPayload);
  const features = {};
  for (const name in message.values) {
    features[name] = { properties: { value: message.values[name], unit: message.units[name], at: message.at } };
  }
  return {
    topic: 'bench/' + message.device + '/things/twin/commands/modify',
    headers: { 'response-required': false, 'correlation-id': headers['device'] + '-' + message.number },
    path: '/features',
    value: features
  };
}
