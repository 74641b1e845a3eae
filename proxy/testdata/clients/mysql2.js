// node mysql2 in both protocols: streams, LOAD DATA LOCAL, KILL QUERY, a pool. Argument: text or binary.
const { steps, attempt, digest } = require('./steps.js')
const mysql = require('mysql2/promise'), fs = require('fs')
const binary = process.argv[2] === 'binary'
const { HOST: host, PORT: port, DBUSER: user, DBPASSWORD: password, DBNAME: database, LOADFILE } = process.env
const options = { host, port, user, password, database, multipleStatements: true, dateStrings: true, infileStreamFactory: path => fs.createReadStream(path) }

const columns = fields => fields && fields.map(f => Array.isArray(f) ? columns(f) : f && [f.name, f.type, f.orgTable || f.table])
const answer = ([rows, fields]) => [columns(fields), rows]

async function run (connection, { how, sql, parameters }) {
  const ask = (text, values) => binary ? connection.execute(text, values) : connection.query(text, values)
  switch (how) {
    case 'repeat': {
      const results = []
      for (let n = 1; n < 8; n++) results.push(answer(await ask(sql, [n])))
      return results
    }
    case 'bulk': {
      const rows = [], plain = connection.connection
      for await (const row of (binary ? plain.execute(sql) : plain.query(sql)).stream()) rows.push(Object.values(row))
      return digest(rows)
    }
    case 'several': return answer(await connection.query(sql))
    case 'load': return answer(await connection.query(sql.replace('LOADFILE', LOADFILE)))
    default: return answer(await ask(sql, parameters))
  }
}

async function killed (connection) {
  const other = await mysql.createConnection(options)
  const sleeping = connection.query('SELECT SLEEP(20)')
  const outcome = sleeping.then(([rows]) => Object.values(rows[0]), e => e.code)
  for (let seen = 0; !seen;) { // until it runs
    [[{ seen }]] = await other.query("SELECT count(*) AS seen FROM information_schema.PROCESSLIST WHERE ID = ? AND STATE = 'User sleep'", [connection.threadId])
  }
  await other.query('KILL QUERY ' + connection.threadId)
  await other.end()
  return [await outcome, answer(await connection.query("SELECT 'alive' AS it"))]
}

async function changed (connection) {
  await connection.changeUser({ user, password, database })
  return answer(await connection.query('SELECT DATABASE() AS d, CURRENT_USER() AS u'))
}

async function pool () {
  const connections = mysql.createPool({ ...options, connectionLimit: 4 })
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => connections.execute('SELECT id, mobile FROM customers WHERE id = ?', [n % 5 + 1])))
  await connections.end()
  return results.map(([rows]) => rows)
}

(async () => {
  const connection = await mysql.createConnection(options)
  for (const step of steps) await attempt(step.name, () => run(connection, step))
  for (const task of [killed, changed]) await attempt(task.name, () => task(connection))
  await connection.end()
  await attempt('pool', pool)
  await attempt('wrong password', () => mysql.createConnection({ ...options, password: 'wrong' }))
  await attempt('no database', () => mysql.createConnection({ ...options, database: 'nowhere' }))
  process.exit(0)
})()
