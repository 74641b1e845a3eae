package proxytest

import (
	"os"
	"path/filepath"
	"strconv"
)

// A Product is a kind of server that speaks MySQL's protocol.
type Product string

// The products.
const (
	ProductMariaDB Product = "MariaDB"
	ProductMySQL   Product = "MySQL"
	ProductTiDB    Product = "TiDB"
)

// Product says what the server is.
func (s *MariaDBServer) Product() Product { return s.kind.product }

// A myKind is what differs between the servers that speak MySQL's protocol.
type myKind struct {
	product    Product
	program    string
	initialise func(*MariaDBServer) error    // fills the data directory
	options    func(*MariaDBServer) []string // of the program
	first      string                        // statements to run once
}

// kindOfMySQL looks which server there is to start in a directory; the machine's
// MariaDB where it is "".
func kindOfMySQL(dir string) (*myKind, error) {
	if dir == "" {
		program, err := MariaDBProgram("mariadbd")
		if err != nil {
			return nil, err
		}
		install, err := MariaDBProgram("mariadb-install-db")
		return mariaDB(program, install), err
	}
	has := func(name string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	switch {
	case has("tidb-server"):
		return tiDB(filepath.Join(dir, "tidb-server")), nil
	case has("mysqld"):
		return mySQL(filepath.Join(dir, "mysqld")), nil
	case has("mariadbd") && has("mariadb-install-db"):
		return mariaDB(filepath.Join(dir, "mariadbd"), filepath.Join(dir, "mariadb-install-db")), nil
	}
	return nil, &MissingError{Program: "mariadb-install-db, mysqld or tidb-server", Looked: dir, Install: "apt-get install mariadb-server"}
}

func mariaDB(program, install string) *myKind {
	return &myKind{
		product: ProductMariaDB,
		program: program,
		initialise: func(s *MariaDBServer) error {
			return s.account.run(s.Directory, install, "--no-defaults", "--datadir="+s.Directory, "--tmpdir="+s.Directory,
				"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
				"--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=8M")
		},
		options: func(s *MariaDBServer) []string {
			return append(commonOptions(s), "--innodb-log-file-size=8M")
		},
		first: "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES",
	}
}

func mySQL(program string) *myKind {
	return &myKind{
		product: ProductMySQL,
		program: program,
		initialise: func(s *MariaDBServer) error {
			return s.account.run(s.Directory, program, "--no-defaults", "--initialize-insecure", "--datadir="+s.Directory, "--tmpdir="+s.Directory)
		},
		options: func(s *MariaDBServer) []string {
			// Some of these are of later versions, or gone again.
			return append(commonOptions(s), "--loose-mysqlx=OFF", "--loose-mysql-native-password=ON",
				"--server-id=1", "--secure-file-priv="+s.Directory, "--log-bin-trust-function-creators=1")
		},
		first: "DO 0",
	}
}

// commonOptions are those of MySQL and MariaDB.
func commonOptions(s *MariaDBServer) []string {
	return []string{
		"--no-defaults", "--datadir=" + s.Directory,
		"--tmpdir=" + s.Directory, // a server that starts removes what it takes for its own leftovers from there
		"--socket=" + s.Socket(), "--pid-file=" + filepath.Join(s.Directory, "pid"),
		"--port=" + strconv.Itoa(s.Port), "--bind-address=127.0.0.1", "--skip-name-resolve",
		"--character-set-server=utf8mb4", "--local-infile=1", "--max-allowed-packet=64M", "--max-connections=300",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--sync-binlog=0",
		"--performance-schema=1", "--ssl-cert=server.crt", "--ssl-key=server.key", "--ssl-ca=ca.crt",
	}
}

// tiDB keeps its data in the directory alone, and needs no other process.
func tiDB(program string) *myKind {
	return &myKind{
		product: ProductTiDB,
		program: program,
		initialise: func(s *MariaDBServer) error {
			in := func(name string) string { return strconv.Quote(filepath.Join(s.Directory, name)) }
			return s.account.write(s.Directory, "tidb.toml", "[security]\nssl-cert = "+in("server.crt")+"\nssl-key = "+in("server.key")+
				"\nssl-ca = "+in("ca.crt")+"\n")
		},
		options: func(s *MariaDBServer) []string {
			return []string{
				"-config=" + filepath.Join(s.Directory, "tidb.toml"), "-P=" + strconv.Itoa(s.Port), "-host=127.0.0.1", "-socket=" + s.Socket(),
				"-store=unistore", "-path=" + s.Directory, "-temp-dir=" + s.Directory, "-report-status=false", "-L=error",
			}
		},
		first: "SET GLOBAL local_infile = 1",
	}
}
