-- Two databases of a firm. "//" ends a statement.
DROP DATABASE IF EXISTS firm//
DROP DATABASE IF EXISTS archive//
CREATE DATABASE firm CHARACTER SET utf8mb4//
CREATE DATABASE archive CHARACTER SET utf8mb4//
USE firm//
CREATE TABLE person (
	id INT PRIMARY KEY AUTO_INCREMENT,
	name VARCHAR(100) NOT NULL,
	mail VARCHAR(120),
	mobile VARCHAR(20),
	card VARCHAR(40),
	pay DECIMAL(12,2),
	grade INT,
	born DATE,
	doc JSON,
	team INT,
	note TEXT,
	mail_key VARCHAR(120) AS (lower(mail)) STORED,
	secret_note VARCHAR(20) /*!80023 INVISIBLE */ /*M! INVISIBLE */
)//
CREATE TABLE team (id INT PRIMARY KEY, title VARCHAR(40) NOT NULL, mobile VARCHAR(20), budget DECIMAL(12,2))//
CREATE TABLE visit (id INT PRIMARY KEY AUTO_INCREMENT, person INT, at DATETIME, phone VARCHAR(20), remark VARCHAR(200), tags JSON)//
CREATE TABLE `Odd Name` (id INT PRIMARY KEY, `Full Name` VARCHAR(100), `select` INT)//
CREATE TABLE archive.person (id INT PRIMARY KEY, name VARCHAR(100), note VARCHAR(100))//
CREATE VIEW v_person AS SELECT id, name AS full_name, mail, mobile, team FROM person//
CREATE VIEW v_team AS SELECT t.id, t.title, count(p.id) AS heads, group_concat(p.name) AS names FROM team t LEFT JOIN person p ON p.team = t.id GROUP BY t.id, t.title//
CREATE VIEW v_nested AS SELECT full_name AS who, team FROM v_person WHERE team > 1//
CREATE VIEW v_rich AS SELECT id FROM person WHERE pay > 1000//
CREATE FUNCTION f_mail(p INT) RETURNS VARCHAR(120) READS SQL DATA RETURN (SELECT mail FROM person WHERE id = p)//
CREATE FUNCTION f_visits(p INT) RETURNS INT READS SQL DATA BEGIN DECLARE n INT DEFAULT 0; SELECT count(*) INTO n FROM visit WHERE person = p; RETURN n; END//
CREATE FUNCTION f_masked(p INT) RETURNS VARCHAR(20) READS SQL DATA BEGIN DECLARE v VARCHAR(40); SELECT card INTO v FROM person WHERE id = p; IF v IS NULL THEN RETURN 'none'; END IF; RETURN concat('x', v); END//
CREATE FUNCTION f_twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2//
CREATE PROCEDURE p_person(IN p INT) SELECT * FROM person WHERE id = p//
CREATE PROCEDURE p_mail(IN p INT, OUT m VARCHAR(120)) SELECT mail INTO m FROM person WHERE id = p//
CREATE PROCEDURE p_visit(IN p INT, IN r VARCHAR(200)) BEGIN
	DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
	START TRANSACTION;
	INSERT INTO visit (person, at, remark) VALUES (p, now(), r);
	IF row_count() > 0 THEN COMMIT; ELSE ROLLBACK; END IF;
END//
CREATE PROCEDURE p_dynamic(IN t VARCHAR(40)) BEGIN SET @q = concat('SELECT * FROM ', t); PREPARE s FROM @q; EXECUTE s; END//
CREATE PROCEDURE p_leak() BEGIN
	DECLARE done INT DEFAULT 0; DECLARE v VARCHAR(120);
	DECLARE c CURSOR FOR SELECT mail FROM person;
	DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
	OPEN c;
	l: LOOP FETCH c INTO v; IF done THEN LEAVE l; END IF; INSERT INTO visit (remark) VALUES (v); END LOOP;
	CLOSE c;
END//
CREATE PROCEDURE p_two() BEGIN SELECT id, title FROM team; SELECT id, name, mail FROM person; END//
CREATE PROCEDURE p_rows(IN n INT) BEGIN
	CASE n WHEN 1 THEN SELECT id, title FROM team; ELSE SELECT id, remark FROM visit; END CASE;
	WHILE n > 0 DO SET n = n - 1; END WHILE;
	REPEAT SET n = n + 1; UNTIL n > 3 END REPEAT;
END//
/*M! CREATE SEQUENCE numbers */ /*!50700 DO 0 *///
INSERT INTO team VALUES (1, 'North', 'canary-tm-1', 100), (2, 'South', 'canary-tm-2', 200)//
INSERT INTO person (id, name, mail, mobile, card, pay, grade, born, doc, team, note, secret_note) VALUES
	(1, 'canary-n-1', 'canary-m-1@x.example', 'canary-mo-1', 'canary-c-1', 771771.71, 771771, '1977-07-17', '{"phone": "canary-p-1", "city": "Rome", "mails": ["canary-ml-1"]}', 1, 'plain', 'canary-s-1'),
	(2, 'canary-n-2', 'canary-m-2@x.example', 'canary-mo-2', 'canary-c-2', 771772.72, 771772, '1977-08-18', '{"phone": "canary-p-2", "city": "Oslo"}', 1, 'plain', 'canary-s-2'),
	(3, 'canary-n-3', NULL, 'canary-tm-2', NULL, NULL, NULL, NULL, NULL, 2, NULL, NULL)//
INSERT INTO visit (id, person, at, phone, remark, tags) VALUES (1, 1, '2025-01-01', 'canary-vp-1', 'first', '["a", "b"]'), (2, 2, '2025-01-02', 'canary-mo-2', 'second', '[]'), (3, 9, NULL, NULL, NULL, NULL)//
INSERT INTO archive.person VALUES (1, 'canary-an-1', 'old'), (7, 'canary-an-7', 'older')//
INSERT INTO `Odd Name` VALUES (1, 'canary-on-1', 1)//
