// node-postgres: simple and extended queries, named statements, cursors, COPY, pool.
const { steps, attempt, digest, hash } = require('./steps.js')
const { Client, Pool } = require('pg'), Cursor = require('pg-cursor'), { to, from } = require('pg-copy-streams')
const { Readable } = require('stream'), { pipeline } = require('stream/promises')
const DSN = process.env.DSN

const answer = r => Array.isArray(r) ? r.map(answer) : { command: r.command, count: r.rowCount, columns: r.fields.map(f => [f.name, f.dataTypeID]), rows: r.rows }

async function run (client, { how, sql, parameters }) {
  if (how === 'repeat') {
    const results = []
    for (let n = 1; n < 8; n++) results.push(answer(await client.query({ name: 'again', text: sql, values: [n] })))
    return results
  }
  if (how === 'bulk') {
    const cursor = client.query(new Cursor(sql)), rows = []
    for (let batch; (batch = await cursor.read(333)).length;) rows.push(...batch)
    await cursor.close()
    return digest(rows)
  }
  if (how === 'copy') {
    const parts = []
    for await (const part of client.query(to(sql))) parts.push(part)
    return digest(Buffer.concat(parts).toString().trim().split('\n'))
  }
  return answer(await (parameters.length ? client.query(sql, parameters) : client.query(sql)))
}

async function transaction (client) {
  await client.query('BEGIN')
  await client.query('CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY, v text)')
  const lines = Array.from({ length: 5000 }, (_, n) => `${n}\t行 ${n}\n`)
  await pipeline(Readable.from(lines), client.query(from('COPY scratch FROM STDIN')))
  const found = answer(await client.query('SELECT count(*), max(v) FROM scratch'))
  await client.query('SAVEPOINT here')
  const failed = await client.query("INSERT INTO scratch VALUES (1, 'again')").catch(e => e.code)
  const aborted = await client.query('SELECT 1').catch(e => e.code)
  await client.query('ROLLBACK TO here')
  const left = answer(await client.query('SELECT count(*) FROM scratch'))
  await client.query('ROLLBACK')
  return [found, failed, aborted, left]
}

async function large (client) {
  const body = (await client.query("SELECT repeat('0123456789', 500000) AS b")).rows[0].b
  return [body.length, hash(body), (await client.query('SELECT length($1::text)', ['é'.repeat(1000000)])).rows]
}

async function notify (client) {
  const heard = new Promise(resolve => client.once('notification', n => resolve([n.channel, n.payload])))
  await client.query('LISTEN news')
  await client.query("NOTIFY news, '消息'")
  return heard
}

async function cancelled (client) {
  const packet = Buffer.alloc(16) // CancelRequest
  packet.writeInt32BE(16, 0); packet.writeInt32BE(80877102, 4)
  packet.writeInt32BE(client.processID, 8); packet.writeInt32BE(client.secretKey, 12)
  const sleeping = client.query('SELECT pg_sleep(20)').catch(e => e.code)
  await new Promise(resolve => setTimeout(resolve, 300))
  const { host, port } = client
  require('net').connect(port, host).end(packet)
  return [await sleeping, answer(await client.query("SELECT 'alive' AS it"))]
}

async function pool () {
  const connections = new Pool({ connectionString: DSN, max: 4 })
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => connections.query('SELECT id, mobile FROM customers WHERE id = $1', [n % 5 + 1])))
  await connections.end()
  return results.map(r => r.rows)
}

async function connect (changes) {
  const url = new URL(DSN)
  Object.assign(url, changes)
  const client = new Client({ connectionString: url.href })
  await client.connect()
}

(async () => {
  const client = new Client({ connectionString: DSN })
  await client.connect()
  for (const step of steps) await attempt(step.name, () => run(client, step))
  await attempt('several', async () => answer(await client.query('SELECT 1 AS a; SELECT id, mobile FROM customers WHERE id < 3 ORDER BY id; SELECT 2 AS b')))
  await attempt('empty', async () => answer(await client.query('')))
  for (const task of [transaction, large, notify, cancelled]) await attempt(task.name, () => task(client))
  await client.end()
  await attempt('pool', pool)
  await attempt('wrong password', () => connect({ password: 'wrong' }))
  await attempt('no database', () => connect({ pathname: '/nowhere' }))
  process.exit(0)
})()
