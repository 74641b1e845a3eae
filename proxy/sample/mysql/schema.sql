-- The tables of ../schema.sql as MariaDB and MySQL have them.

CREATE TABLE companies (
	id             bigint PRIMARY KEY,
	name           varchar(80) NOT NULL,
	credit_code    char(18) NOT NULL UNIQUE,
	legal_person   varchar(40) NOT NULL,
	contact_mobile varchar(20) NOT NULL,
	industry       text NOT NULL,
	region         text NOT NULL,
	price          decimal(14,2) NOT NULL,
	registered     date NOT NULL
);

CREATE TABLE customers (
	id         bigint PRIMARY KEY,
	name       varchar(60) NOT NULL,
	mobile     varchar(20) NOT NULL,
	email      varchar(120),
	id_card    char(18) NOT NULL,
	bank_card  varchar(19),
	address    text NOT NULL,
	birth_date date NOT NULL,
	salary     decimal(12,2),
	budget     integer NOT NULL,
	vip        boolean NOT NULL DEFAULT false,
	member     char(36) NOT NULL,
	last_ip    varchar(45) NOT NULL,
	tags       json,
	profile    json NOT NULL,
	photo      blob,
	notes      text,
	created_at datetime NOT NULL DEFAULT now(),
	KEY customers_mobile (mobile)
) COMMENT = 'people who buy companies';

CREATE TABLE orders (
	id          bigint PRIMARY KEY,
	customer_id bigint NOT NULL,
	company_id  bigint NOT NULL,
	state       enum ('new', 'paid', 'shipped', 'closed', 'refunded') NOT NULL,
	amount      decimal(12,2) NOT NULL,
	ship_to     text NOT NULL,
	remark      text,
	placed_at   datetime NOT NULL,
	FOREIGN KEY (customer_id) REFERENCES customers (id),
	FOREIGN KEY (company_id) REFERENCES companies (id)
);

CREATE VIEW customer_contacts AS
	SELECT id, name, mobile AS phone, coalesce(email, 'none') AS email FROM customers;
CREATE VIEW order_overview AS
	SELECT o.id, c.name AS customer, b.name AS company, o.state, o.amount, o.placed_at
	FROM orders o JOIN customers c ON c.id = o.customer_id JOIN companies b ON b.id = o.company_id;

CREATE FUNCTION order_total(customer bigint) RETURNS decimal(14,2) READS SQL DATA
	RETURN (SELECT coalesce(sum(amount), 0) FROM orders WHERE customer_id = customer);
