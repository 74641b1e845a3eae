# Perl's DBD::mysql and DBD::MariaDB: text and prepared statements, streams, several results, LOAD DATA LOCAL.
# Arguments: the driver, and 1 to prepare by the server.
use strict;
use warnings;
use utf8;
use DBI;
use Digest::SHA 'sha256_hex';
use JSON::PP;

my ($driver, $prepare) = @ARGV;
my $option = lc $driver;    # what its own options begin with
my $json = JSON::PP->new->utf8->allow_nonref->canonical;

sub connect_to {
    my ($password, $database) = @_;
    my $where = "DBI:$driver:database=$database;host=$ENV{HOST};port=$ENV{PORT};${option}_local_infile=1;${option}_multi_statements=1";
    my %options = (RaiseError => 1, PrintError => 0, "${option}_server_prepare" => $prepare);
    $options{mysql_enable_utf8mb4} = 1 if $driver eq 'mysql';
    return DBI->connect($where, $ENV{DBUSER}, $password, \%options);
}

sub plain {
    my ($value) = @_;
    return [map { plain($_) } @$value] if ref $value;
    return $value if !defined $value || utf8::is_utf8($value) || $value !~ /[^\x20-\x7e\n\t]/;
    return 'bytes:' . unpack 'H*', $value;
}

sub show { my ($name, $value) = @_; print "$name\t", $json->encode(plain($value)), "\n" }

sub digest {
    my ($rows) = @_;
    return $rows if ($ENV{FULL} // '') eq '1';
    return [scalar @$rows, sha256_hex($json->encode(plain($rows))), $rows->[0], $rows->[-1]];
}

sub parameter {
    my ($kind, $value) = split /:/, $_[0], 2;
    return undef if $kind eq 'n';
    return $value eq 'MOBILE' ? $ENV{MOBILE} : $value;
}

sub answer {
    my ($statement) = @_;
    return $statement->rows unless $statement->{NUM_OF_FIELDS};
    return [$statement->{NAME}, $statement->{"${option}_type_name"}, $statement->fetchall_arrayref];
}

sub run {
    my ($db, $how, $sql, @parameters) = @_;
    $sql =~ s/LOADFILE/$ENV{LOADFILE}/;
    # Rows one by one of what the server prepared make both drivers loop for ever.
    my %options = $how eq 'bulk' && !$prepare ? ("${option}_use_result" => 1) : $how =~ /several|load/ ? ("${option}_server_prepare" => 0) : ();
    my $statement = $db->prepare($sql, \%options);
    return [map { $statement->execute($_); answer($statement) } 1 .. 7] if $how eq 'repeat';
    $statement->execute(@parameters);
    return digest($statement->fetchall_arrayref) if $how eq 'bulk';
    my @results = answer($statement);
    while ($how eq 'several' && $statement->more_results) { push @results, answer($statement) }
    return $how eq 'several' ? \@results : $results[0];
}

sub attempt {
    my ($name, $task) = @_;
    my $value = eval { $task->() };
    $value = ['error', $DBI::err, $DBI::state, $DBI::errstr] if $@;
    show($name, $value);
}

$| = 1;
my $db = connect_to($ENV{DBPASSWORD}, $ENV{DBNAME});
open my $steps, '<:encoding(UTF-8)', $ENV{STEPS} or die "$ENV{STEPS}: $!";
while (my $line = <$steps>) {
    chomp $line;
    next if $line =~ /^#/;
    my ($name, $how, $sql, @parameters) = split /\t/, $line;
    attempt($name, sub { run($db, $how, $sql, map { parameter($_) } @parameters) });
}
attempt('ping', sub { $db->ping });
$db->disconnect;
attempt('wrong password', sub { connect_to('wrong', $ENV{DBNAME}); undef });
attempt('no database', sub { connect_to($ENV{DBPASSWORD}, 'nowhere'); undef });
