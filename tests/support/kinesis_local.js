// Runs kinesis-local, with three changes: it listens on loopback alone, on a free port, which it
// says in a line of JSON; it ends at SIGTERM; and whoever listens to a shard that has ended is told
// its children.
//
//   node kinesis_local.js FOLDER CHILDREN
//
// FOLDER is where npm has put kinesis-local. The file CHILDREN, when it is there, has the children
// of shards as JSON, as SubscribeToShardEvent has them: {"shardId-…": [{"ShardId": …}, …]}.
'use strict'
const fs = require('fs')
const Module = require('module')
const net = require('net')
const path = require('path')

const PLAIN = 4568 // where it would listen without TLS
const [folder, children] = process.argv.slice(2)
const program = path.join(folder, 'main.js')

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, told) {
  const say = () => {
    if (port === PLAIN) console.log(JSON.stringify({ port: this.address().port }))
    told()
  }
  return listen.call(this, { port: 0, host: '127.0.0.1' }, say)
}

const { exit } = process // it puts another in its place, which waits for its clients to go
process.on('SIGTERM', () => exit.call(process, 0))

// Kinesis says of a shard that has ended, once all its records are delivered, which are its
// children, and no place to go on at. Until somebody knows of the end, nothing is changed.
globalThis.eventOf = (shard, event) => {
  const found = JSON.parse(event)
  if (found.Records.length > 0 || !fs.existsSync(children)) return event
  const own = JSON.parse(fs.readFileSync(children))[shard]
  if (own === undefined) return event
  return JSON.stringify({ Records: [], MillisBehindLatest: 0, ChildShards: own })
}

const text = fs.readFileSync(program, 'utf8')
const printed = /(\$m_Lio_circe_Printer\$\(\)\.HJ\.X6\(\$ps_Lkinesis_mock_api_SubscribeToShardRequest__[^;]*?\.a7\(event\)\))/
if (text.split(printed).length !== 3) throw new Error('another version of kinesis-local')
process.chdir(folder) // where server.json is
const main = new Module(program, null)
main.filename = program
main.paths = Module._nodeModulePaths(folder)
main._compile(text.replace(printed, 'globalThis.eventOf($thiz.vf, $1)'), program)
