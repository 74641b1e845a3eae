# Ruby's mysql2: text and prepared statements, streams, several results, LOAD DATA LOCAL.
require 'json'
require 'digest'
require 'mysql2'

def connect(changes = {})
  Mysql2::Client.new({ host: ENV['HOST'], port: ENV['PORT'].to_i, username: ENV['DBUSER'], password: ENV['DBPASSWORD'], database: ENV['DBNAME'],
                       flags: Mysql2::Client::MULTI_STATEMENTS, local_infile: true, encoding: 'utf8mb4', as: :array, cast: true }.merge(changes))
end

def plain(value)
  case value
  when Array then value.map { |v| plain(v) }
  when String then value.dup.force_encoding('UTF-8').valid_encoding? ? value.dup.force_encoding('UTF-8') : 'bytes:' + value.unpack1('H*')
  when BigDecimal then value.to_s('F')
  when nil, true, false, Numeric then value
  else value.to_s
  end
end

def show(name, value) = puts("#{name}\t#{JSON.generate(plain(value))}")

def digest(rows)
  rows = plain(rows)
  ENV['FULL'] == '1' ? rows : [rows.size, Digest::SHA256.hexdigest(JSON.generate(rows)), rows[0], rows[-1]]
end

def parameter(text)
  value = text[2..]
  case text[0]
  when 'i' then value.to_i
  when 'n' then nil
  else value == 'MOBILE' ? ENV['MOBILE'] : value
  end
end

def answer(client, result) = result ? [result.fields, result.to_a] : client.affected_rows

def run(client, how, sql, parameters)
  case how
  when 'repeat'
    prepared(client, sql) { |statement| (1..7).map { |n| statement.execute(n, as: :array).then { |r| [r.fields, r.to_a] } } }
  when 'bulk'
    digest(client.query(sql, stream: true, cache_rows: false).to_a)
  when 'several'
    all = [answer(client, client.query(sql))]
    all << answer(client, client.store_result) while client.next_result
    all
  else
    return answer(client, client.query(sql.sub('LOADFILE', ENV['LOADFILE']))) if parameters.empty?
    prepared(client, sql) do |statement|
      result = statement.execute(*parameters, as: :array)
      result ? [result.fields, result.to_a] : statement.affected_rows
    end
  end
end

# A statement that is left to the garbage collector is closed in the middle of another one's rows.
def prepared(client, sql)
  statement = client.prepare(sql)
  yield statement
ensure
  statement&.close
end

def attempt(name)
  show(name, yield)
rescue Mysql2::Error => e
  show(name, ['error', e.error_number, e.sql_state, e.message])
end

$stdout.sync = true
client = connect
File.foreach(ENV['STEPS'], chomp: true, encoding: 'UTF-8') do |line|
  next if line.start_with?('#')
  name, how, sql, *parameters = line.split("\t")
  attempt(name) do
    run(client, how, sql, parameters.map { |p| parameter(p) })
  ensure
    client.abandon_results!
  end
end
attempt('ping') { client.ping }
client.close
attempt('wrong password') { connect(password: 'wrong') && nil }
attempt('no database') { connect(database: 'nowhere') && nil }
