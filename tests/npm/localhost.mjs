// Names below .localhost are this machine (RFC 6761), whatever the resolver says.
import dns from 'node:dns'

const { lookup } = dns
dns.lookup = (name, options, callback) => {
  if (!/(^|\.)localhost$/.test(name)) return lookup(name, options, callback)
  const done = callback ?? options
  const all = typeof options === 'object' && options.all
  process.nextTick(() => (all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)))
}
