-- The business of the demo: people who buy companies that are for transfer.

CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'closed', 'refunded');

CREATE TABLE companies (
	id             bigint PRIMARY KEY,
	name           varchar(80) NOT NULL,
	credit_code    char(18) NOT NULL UNIQUE,
	legal_person   varchar(40) NOT NULL,
	contact_mobile varchar(20) NOT NULL,
	industry       text NOT NULL,
	region         text NOT NULL,
	price          numeric(14,2) NOT NULL,
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
	salary     numeric(12,2),
	budget     integer NOT NULL,
	vip        boolean NOT NULL DEFAULT false,
	member     uuid NOT NULL,
	last_ip    inet NOT NULL,
	tags       text[],
	profile    jsonb NOT NULL,
	photo      bytea,
	notes      text,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX customers_mobile ON customers (mobile);
COMMENT ON TABLE customers IS 'people who buy companies';

CREATE TABLE orders (
	id          bigint NOT NULL,
	customer_id bigint NOT NULL REFERENCES customers,
	company_id  bigint NOT NULL REFERENCES companies,
	state       order_state NOT NULL,
	amount      numeric(12,2) NOT NULL,
	ship_to     text NOT NULL,
	remark      text,
	placed_at   timestamptz NOT NULL,
	PRIMARY KEY (id, placed_at)
) PARTITION BY RANGE (placed_at);
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX orders_customer ON orders (customer_id);

CREATE VIEW customer_contacts AS
	SELECT id, name, mobile AS phone, coalesce(email, 'none') AS email FROM customers;
CREATE VIEW order_overview AS
	SELECT o.id, c.name AS customer, b.name AS company, o.state, o.amount, o.placed_at
	FROM orders o JOIN customers c ON c.id = o.customer_id JOIN companies b ON b.id = o.company_id;

CREATE FUNCTION order_total(customer bigint) RETURNS numeric LANGUAGE sql STABLE
	AS 'SELECT coalesce(sum(amount), 0) FROM public.orders WHERE customer_id = customer';
