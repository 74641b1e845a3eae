package pgsql_test

// newerStatements are what PostgreSQL 16, 17 and 18 added; a server before them
// does not take them.
var newerStatements = []string{
	"SELECT JSON_OBJECT('a': mail, name: card), JSON_ARRAY(mail, 1), JSON_ARRAY(SELECT card FROM person), doc IS JSON OBJECT FROM person",
	"SELECT JSON_ARRAYAGG(mail ORDER BY pay), JSON_OBJECTAGG(id: mail) FILTER (WHERE card = 'x'), JSON_OBJECTAGG(mail VALUE name WITH UNIQUE KEYS) FROM person",
	"SELECT any_value(mail), any_value(id) FILTER (WHERE pay > 1) FROM person GROUP BY team",
	"SELECT * FROM (SELECT mail, id FROM person), (VALUES (1))",
	"SELECT 0x1F + 1_000, id FROM person LIMIT 0b11",
	"SELECT system_user, mail AS system_user FROM person",
	"SELECT JSON_VALUE(doc, '$.phone'), JSON_QUERY(doc, '$' PASSING mail AS x), JSON_EXISTS(doc, '$.a ? (@ == $x)' PASSING card AS x) FROM person",
	"SELECT JSON_VALUE(doc, '$.phone' RETURNING int DEFAULT length(mail) ON EMPTY DEFAULT id ON ERROR) FROM person",
	"SELECT JSON_SERIALIZE(doc), JSON_SCALAR(mail), JSON(card) FROM person",
	"SELECT t.* FROM person, JSON_TABLE(doc, '$' COLUMNS (n FOR ORDINALITY, phone text PATH '$.phone', NESTED PATH '$.mails[*]' COLUMNS (m text PATH '$'))) AS t",
	"SELECT t.x, t.z FROM person p, JSON_TABLE(jsonb_build_object('a', p.mail), '$' PASSING p.card AS c COLUMNS (a text PATH '$.a', b bool EXISTS PATH '$.b', c text PATH '$.c' DEFAULT p.name ON EMPTY)) AS t (x, y, z)",
	"SELECT name FROM JSON_TABLE('[]', '$[*]' COLUMNS (mail text PATH '$')) AS person, hr.team t (name)",
	"MERGE INTO hr.team t USING person p ON t.lead = p.id WHEN MATCHED THEN UPDATE SET title = p.name RETURNING merge_action(), t.title, p.mail",
	"MERGE INTO hr.team t USING person p ON t.lead = p.id WHEN NOT MATCHED BY SOURCE AND t.mobile = 'x' THEN DELETE WHEN NOT MATCHED BY TARGET THEN INSERT (id, title) VALUES (p.id, p.card) RETURNING *",
	"WITH m AS (MERGE INTO hr.team t USING person p ON t.lead = p.id WHEN MATCHED THEN DO NOTHING RETURNING p.mail AS x, t.*) SELECT x, title FROM m",
	"UPDATE hr.team SET title = 'x' WHERE id = 1 RETURNING old.mobile, new.title, old.*",
	"DELETE FROM hr.person RETURNING old.mail, new.card, mail",
	"INSERT INTO hr.team AS new (id, title) VALUES (1, 'x') RETURNING old.title, new.title",
	"SELECT mail FROM person GROUP BY ALL",
	"SELECT array_sort(ARRAY[mail, card]), array_reverse(tags), casefold(name), uuidv7() FROM person",
}
