// What the JavaScript clients share: the steps, and one line of output per step.
const fs = require('fs'), { createHash } = require('crypto')
const full = process.env.FULL === '1' // print every row, so that they can be searched for raw values

const parameter = text => {
  const kind = text[0], value = text.slice(2)
  if (value === 'MOBILE') return process.env.MOBILE
  return kind === 'i' ? Number(value) : kind === 'n' ? null : value
}
exports.steps = fs.readFileSync(process.env.STEPS, 'utf8').trim().split('\n')
  .filter(line => line[0] !== '#')
  .map(line => line.split('\t'))
  .map(([name, how, sql, ...parameters]) => ({ name, how, sql, parameters: parameters.map(parameter) }))

exports.show = (name, value) => console.log(name + '\t' + JSON.stringify(value))
exports.digest = rows => full ? rows : [rows.length, createHash('sha256').update(JSON.stringify(rows)).digest('hex'), rows[0], rows[rows.length - 1]]
exports.attempt = async (name, task) => {
  try { exports.show(name, await task()) } catch (e) { exports.show(name, ['error', e.code, e.message]) }
}
exports.hash = text => createHash('sha256').update(text).digest('hex')
