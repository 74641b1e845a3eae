package mywire

// Capabilities are what a side offers or what both agree on. The upper half is
// MariaDB's.
// https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html
type Capabilities uint64

// Capabilities that decide how packets look or what is allowed.
const (
	CapMySQL             Capabilities = 1 << 0 // a MariaDB server leaves it out and sends its own in the greeting
	CapFoundRows         Capabilities = 1 << 1
	CapConnectWithDB     Capabilities = 1 << 3
	CapCompress          Capabilities = 1 << 5
	CapLocalFiles        Capabilities = 1 << 7
	CapProtocol41        Capabilities = 1 << 9
	CapSSL               Capabilities = 1 << 11
	CapTransactions      Capabilities = 1 << 13
	CapSecureConnection  Capabilities = 1 << 15
	CapMultiStatements   Capabilities = 1 << 16
	CapMultiResults      Capabilities = 1 << 17
	CapPSMultiResults    Capabilities = 1 << 18
	CapPluginAuth        Capabilities = 1 << 19
	CapConnectAttrs      Capabilities = 1 << 20
	CapLenencAuth        Capabilities = 1 << 21
	CapExpiredPasswords  Capabilities = 1 << 22
	CapSessionTrack      Capabilities = 1 << 23
	CapDeprecateEOF      Capabilities = 1 << 24
	CapOptionalMetadata  Capabilities = 1 << 25
	CapZstd              Capabilities = 1 << 26
	CapQueryAttributes   Capabilities = 1 << 27
	CapMultiFactor       Capabilities = 1 << 28
	CapCapabilityExt     Capabilities = 1 << 29
	CapVerifyCertificate Capabilities = 1 << 30

	CapMariaDBProgress         Capabilities = 1 << 32
	CapMariaDBMulti            Capabilities = 1 << 33
	CapMariaDBBulk             Capabilities = 1 << 34
	CapMariaDBExtendedMetadata Capabilities = 1 << 35
	CapMariaDBCacheMetadata    Capabilities = 1 << 36
	CapMariaDBBulkResults      Capabilities = 1 << 37
)

// readable are the capabilities whose packets this package reads. What a later
// server adds may change packets in ways that nobody here knows.
const readable = CapMySQL | CapFoundRows | CapConnectWithDB | CapLocalFiles | CapProtocol41 | CapSSL | CapTransactions |
	CapSecureConnection | CapMultiStatements | CapMultiResults | CapPSMultiResults | CapPluginAuth | CapConnectAttrs |
	CapLenencAuth | CapExpiredPasswords | CapSessionTrack | CapDeprecateEOF | CapQueryAttributes | CapMariaDBProgress | CapMariaDBBulk |
	CapMariaDBExtendedMetadata | CapMariaDBCacheMetadata | harmless

// harmless are flags that change no packet: long flags, no schema, ODBC, ignore
// spaces, interactive, ignore SIGPIPE, and one that is reserved.
const harmless = 1<<2 | 1<<4 | 1<<6 | 1<<8 | 1<<10 | 1<<12 | 1<<14

// Readable returns the capabilities without those that would hide from us what
// is said: compression, columns that are never described, several commands or
// results in one packet, and all that we do not know. Offer it to the
// client in place of the server's.
func (c Capabilities) Readable() Capabilities { return c & readable }

// Has says whether all of the flags are set.
func (c Capabilities) Has(flags Capabilities) bool { return c&flags == flags }
