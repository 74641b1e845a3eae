-- What is made once the data is there.

CREATE TABLE region_companies AS SELECT region, count(*) AS companies FROM companies GROUP BY region;
ANALYZE TABLE companies, customers, orders;
