// Loaded before programs that open servers without naming a host: they would listen on every network.
const net = require('node:net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const isPort = typeof first === 'number' || /^\d+$/.test(first);
  if (isPort && typeof rest[0] !== 'string') {
    rest.unshift('127.0.0.1');
  } else if (first?.port !== undefined && !first.host) {
    first = { ...first, host: '127.0.0.1' };
  } else if (first === undefined || typeof first === 'function') {
    return listen.call(this, 0, '127.0.0.1', first);
  }
  return listen.call(this, first, ...rest);
};
