package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"

	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// A mysqlLab is a demo whose MariaDB tests know, with a few things more in it.
type mysqlLab struct {
	*demo
	server *proxytest.MariaDBServer
}

// mysqlLabs is the lab of the tests that only read, once one of them has asked for it.
var mysqlLabs struct {
	sync.Mutex
	lab *mysqlLab
	err error
}

// myLab is the demo with MariaDB that tests share.
func myLab(t *testing.T) *mysqlLab {
	t.Helper()
	mysqlLabs.Lock()
	defer mysqlLabs.Unlock()
	if mysqlLabs.lab == nil && mysqlLabs.err == nil {
		mysqlLabs.lab, mysqlLabs.err = newMySQLLab(context.Background())
	}
	if mysqlLabs.err != nil {
		t.Fatal(mysqlLabs.err)
	}
	return mysqlLabs.lab
}

// closeMySQLLab ends it, if there is one.
func closeMySQLLab() error {
	mysqlLabs.Lock()
	defer mysqlLabs.Unlock()
	if mysqlLabs.lab == nil {
		return nil
	}
	return mysqlLabs.lab.close()
}

func newMySQLLab(ctx context.Context) (*mysqlLab, error) {
	d, err := startDemo(ctx, demoOptions{mysql: true, listen: "127.0.0.1:0", customers: labCustomers, seed: 1}, os.Stderr)
	if err != nil {
		return nil, err
	}
	lab := &mysqlLab{d, d.server.(mysqlDemo).MariaDBServer}
	if err := lab.server.Exec(ctx, sample.Database, everyType+procedures); err != nil {
		return nil, err
	}
	return lab, nil
}

// everyType is a table with a column of every type, its values at their ends but for
// times beyond a day, which some clients do not have, and NULLs.
const everyType = `
CREATE TABLE every_type (id int PRIMARY KEY,
	ti tinyint, tu tinyint unsigned, si smallint, mi mediumint, mu mediumint unsigned, iu int unsigned, bi bigint, bu bigint unsigned, z int(6) zerofill,
	f float, d double, n decimal(30,10), b bit(10), y year, da date, t time, t3 time(3), dt datetime, d6 datetime(6), ts timestamp(3) NULL,
	c char(10), vc varchar(40), latin varchar(20) CHARACTER SET latin1, bn binary(4), vb varbinary(10), tt tinytext, x text, lt longtext,
	tb tinyblob, bl blob, lb longblob, e enum('red','绿'), s set('a','b','c'), j json, u uuid, i6 inet6, g geometry);
INSERT INTO every_type VALUES
	(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'0', 1901, '0001-01-01', '00:00:00', '00:00:00', '1000-01-01', '1000-01-01', '1970-01-02',
	 '', '', '', '', '', '', '', '', '', '', '', 'red', '', '{}', '00000000-0000-0000-0000-000000000000', '::', POINT(0, 0)),
	(1, -128, 255, -32768, -8388608, 16777215, 4294967295, -9223372036854775808, 18446744073709551615, 42,
	 1.25, -2.5e300, -12345678901234567890.0123456789, b'1111111111', 2155, '9999-12-31', '23:59:59', '12:34:56.789', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '2026-11-23 01:02:03.456',
	 'ten', '中文🦊 "q" \\ b', 'é', x'00ff', x'00ff00', 'tiny', 'text', repeat('long ', 200), x'ff', x'00', repeat(x'0102', 300), '绿', 'a,c',
	 '{"a": [1, null, "é"]}', '123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff', LINESTRING(POINT(1, 2), POINT(3, 4)));
INSERT INTO every_type (id) VALUES (2);`

const procedures = `
CREATE PROCEDURE two_results(most int) READS SQL DATA BEGIN
	SELECT id, mobile, birth_date FROM customers WHERE id < most ORDER BY id;
	SELECT id, contact_mobile, registered FROM companies WHERE id < most ORDER BY id;
END;
CREATE PROCEDURE sizes(most int, OUT n int) READS SQL DATA BEGIN
	SELECT id, mobile FROM customers WHERE id < most ORDER BY id;
	SELECT count(*) INTO n FROM orders WHERE id < most;
END;`

// environment is what the scripts of the clients read; an empty address is the server's own.
func (d *mysqlLab) environment(t *testing.T, address, user, jdbcOptions, loadFile string) []string {
	t.Helper()
	if address == "" {
		address = d.server.Addr()
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return append(scriptEnvironment(t),
		"HOST="+host, "PORT="+port, "DBUSER="+user, "DBPASSWORD="+proxytest.Password(user), "DBNAME="+sample.Database,
		"JDBC="+fmt.Sprintf("jdbc:mariadb://%s/%s?user=%s&password=%s%s", address, sample.Database, user, proxytest.Password(user), jdbcOptions),
		"STEPS=mysql.txt",
		"LOADFILE="+loadFile,
	)
}
