-- No protected column has a key: the server may return rows in its order.
CREATE DATABASE $db CHARACTER SET utf8mb4
//
CREATE TABLE $db.person (
	id INT PRIMARY KEY AUTO_INCREMENT, grp VARCHAR(10) NOT NULL, n INT NOT NULL, note VARCHAR(40),
	name VARCHAR(60), mail VARCHAR(80), phone CHAR(20), memo TEXT, pay DECIMAL(18,2), account BIGINT, pin INT, ratio DOUBLE,
	born DATE, seen DATETIME(6), doc JSON, raw VARBINARY(40),
	tag VARCHAR(40), low VARCHAR(80) AS (lower(mail)) STORED, KEY (grp)
)
//
CREATE TABLE $db.item (id INT PRIMARY KEY AUTO_INCREMENT, owner INT, title VARCHAR(40), price DECIMAL(10,2))
//
CREATE VIEW $db.v_person AS SELECT * FROM $db.person
//
CREATE VIEW $db.v_some AS SELECT id, grp, n, note, name, mail, phone, memo, pay, account, pin, ratio, born, seen, doc, raw, tag, low FROM $db.person WHERE n > 1
//
CREATE FUNCTION $db.f_mail(p INT) RETURNS VARCHAR(80) READS SQL DATA RETURN (SELECT mail FROM $db.person WHERE id = p)
//
CREATE FUNCTION $db.f_twice(p INT) RETURNS INT DETERMINISTIC RETURN p * 2
//
CREATE PROCEDURE $db.p_person(IN p INT) SELECT id, name, mail, pay FROM person WHERE id = p
//
CREATE PROCEDURE $db.p_two() BEGIN SELECT id, title FROM item LIMIT 3; SELECT id, name FROM person ORDER BY id LIMIT 3; END
//
CREATE PROCEDURE $db.p_variable(IN p INT) BEGIN DECLARE v VARCHAR(80); SELECT mail INTO v FROM person WHERE id = p; SELECT v, concat(v, '') AS w; END
//
CREATE PROCEDURE $db.p_loop(IN p INT) BEGIN DECLARE v VARCHAR(80); DECLARE d INT DEFAULT 0; DECLARE c CURSOR FOR SELECT mail FROM person WHERE id <= p; DECLARE CONTINUE HANDLER FOR NOT FOUND SET d = 1; OPEN c; l: LOOP FETCH c INTO v; IF d THEN LEAVE l; END IF; SELECT v AS mail; END LOOP; CLOSE c; END
//
CREATE PROCEDURE $db.p_many(IN p INT) SQL SECURITY DEFINER BEGIN SELECT id, name FROM person WHERE id = p; SELECT id, note FROM person WHERE id = p; SELECT count(*) AS all_of_them FROM person; CALL p_two(); END
//
CREATE PROCEDURE $db.p_diagnostics(IN p INT) BEGIN DECLARE m TEXT; DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN GET DIAGNOSTICS CONDITION 1 m = MESSAGE_TEXT; SELECT m; END; INSERT INTO item (id, title) SELECT 1, mail FROM person WHERE id = p; END
