// postgres.js: pipelined prepared statements, cursors, COPY.
const { steps, attempt, digest, hash } = require('./steps.js')
const postgres = require('postgres')
const { Readable, setDefaultHighWaterMark } = require('stream'), { pipeline } = require('stream/promises')
// postgres.js 3.4.9 never reads on when a COPY's last chunk fills the stream's buffer: give it room for all.
setDefaultHighWaterMark(false, 64 << 20)
const DSN = process.env.DSN
const open = changes => postgres(DSN, { max: 1, fetch_types: false, connect_timeout: 10, onnotice: () => {}, ...changes })

const answer = r => ({ command: r.command, count: r.count, columns: r.columns && r.columns.map(c => [c.name, c.type]), rows: [...r] })

async function run (sql, { how, sql: text, parameters }) {
  if (how === 'repeat') return (await Promise.all([1, 2, 3, 4, 5, 6, 7].map(n => sql.unsafe(text, [n], { prepare: true })))).map(answer)
  if (how === 'bulk') {
    const rows = []
    await sql.unsafe(text).cursor(333, batch => { rows.push(...batch) })
    return digest(rows)
  }
  if (how === 'copy') {
    const parts = []
    for await (const part of await sql.unsafe(text).readable()) parts.push(part)
    return digest(Buffer.concat(parts).toString().trim().split('\n'))
  }
  return answer(await sql.unsafe(text, parameters))
}

const transaction = sql => sql.begin(async tx => {
  await tx`CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY, v text)`
  const lines = Array.from({ length: 5000 }, (_, n) => `${n}\t行 ${n}\n`)
  await pipeline(Readable.from(lines), await tx`COPY scratch FROM STDIN`.writable())
  const found = answer(await tx`SELECT count(*), max(v) FROM scratch`)
  const failed = await tx.savepoint(s => s`INSERT INTO scratch VALUES (1, 'again')`).catch(e => e.code)
  const left = answer(await tx`SELECT count(*) FROM scratch`)
  await tx`DROP TABLE scratch`
  return [found, failed, left]
})

async function large (sql) {
  const body = (await sql`SELECT repeat('0123456789', 500000) AS b`)[0].b
  return [body.length, hash(body), answer(await sql`SELECT length(${'é'.repeat(1000000)}::text)`)]
}

async function cancelled (sql) {
  const sleeping = sql`SELECT pg_sleep(20)`.execute()
  const end = sleeping.catch(e => e.code)
  await new Promise(resolve => setTimeout(resolve, 300))
  sleeping.cancel()
  return [await end, answer(await sql`SELECT 'alive' AS it`)]
}

async function connect (changes) {
  const sql = open(changes)
  await sql`SELECT 1`.finally(() => sql.end({ timeout: 1 }))
}

(async () => {
  const sql = open()
  for (const step of steps) await attempt(step.name, () => run(sql, step))
  for (const task of [transaction, large, cancelled]) await attempt(task.name, () => task(sql))
  await sql.end()
  await attempt('wrong password', () => connect({ password: 'wrong' }))
  await attempt('no database', () => connect({ database: 'nowhere' }))
  process.exit(0)
})()
