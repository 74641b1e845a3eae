-- What is made once the data is there.

CREATE MATERIALIZED VIEW region_members AS
	SELECT substr(id_card, 1, 2) AS province, count(*) AS members FROM customers GROUP BY 1;
ANALYZE;
