-- A shop with serial keys. Planted: see test_corpus.py. The rest is as shops are.
CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL);
INSERT INTO countries VALUES ('BR', 'Brazil'), ('PT', 'Portugal'), ('US', 'United States'), ('DE', 'Germany');

CREATE TABLE categories (
    id serial PRIMARY KEY, parent_id int REFERENCES categories, name text NOT NULL, slug text NOT NULL UNIQUE);
INSERT INTO categories (parent_id, name, slug)
SELECT CASE WHEN n > 5 THEN 1 + n % 5 END, 'Category ' || n, 'category-' || n FROM generate_series(1, 40) n;

CREATE TABLE customers (
    id serial PRIMARY KEY, email text NOT NULL, password_hash text NOT NULL, name text NOT NULL, phone text,
    phone_e164 text, country_code char(2) NOT NULL REFERENCES countries, website text, notes text,
    created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz);
INSERT INTO customers (email, password_hash, name, phone, country_code, website, notes, created_at)
SELECT 'customer' || n || '@example.com', md5((n % 900)::text), (ARRAY['Ana', 'Bob', 'Eva'])[1 + n % 3],
       '+55119' || lpad((n % 1900)::text, 8, '0'), (ARRAY['BR', 'PT', 'US', 'DE'])[1 + n % 4],
       CASE WHEN n % 3 = 0 THEN 'https://example.com/' || n END,
       CASE WHEN n % 5 = 0 THEN 'likes blue' END, '2020-01-01'::timestamptz + n * interval '1 hour'
FROM generate_series(1, 2000) n;
-- 7 addresses that cannot be one, 4 customers twice
UPDATE customers SET email = 'customer' || id || ' at example.com' WHERE id BETWEEN 11 AND 17;
INSERT INTO customers (email, password_hash, name, country_code)
SELECT email, password_hash, name, country_code FROM customers WHERE id BETWEEN 100 AND 103;

-- 2 customers in other letters
INSERT INTO customers (email, password_hash, name, country_code)
SELECT upper(email), password_hash, name, country_code FROM customers WHERE id IN (300, 301);

CREATE TABLE products (
    id serial PRIMARY KEY, sku text NOT NULL UNIQUE, category_id int NOT NULL REFERENCES categories, name text NOT NULL,
    price numeric(10, 2) NOT NULL, description text, colour_code text,
    barcode text);
CREATE INDEX products_sku_again ON products (sku);
CREATE INDEX products_category ON products (category_id);
-- What many products have instead of a code of their own is no code
INSERT INTO products (sku, category_id, name, price, description, colour_code, barcode)
SELECT 'SKU-' || n, 1 + n % 40, 'Product ' || n % 170, 10 + n % 37, repeat('words ', 40), 'C' || n % 12,
       CASE WHEN n % 25 = 0 THEN 'n/a' ELSE lpad(n::text, 13, '0') END
FROM generate_series(1, 300) n;

CREATE TABLE orders (
    id serial PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, order_number text NOT NULL, status text,
    total numeric(10, 2), coupon_code text, shipping_zip text, placed_at timestamptz NOT NULL);
INSERT INTO orders (customer_id, order_number, status, total, coupon_code, shipping_zip, placed_at)
SELECT 1 + (n * 7) % 2000, 'ORD-' || lpad(n::text, 7, '0'), (ARRAY['new', 'paid', 'sent'])[1 + n % 3], 20 + n % 91,
       CASE WHEN n % 4 = 0 THEN 'SPRING' || n % 6 END, lpad((n * 37 % 99999)::text, 5, '0'),
       '2023-01-01'::timestamptz + n * interval '17 minutes'
FROM generate_series(1, 5000) n;

-- No foreign key to orders, and 9 rows of orders that are gone; a product twice in an order is as chance has it.
CREATE TABLE order_items (
    id serial PRIMARY KEY, order_id int NOT NULL, product_id int NOT NULL REFERENCES products, quantity int NOT NULL,
    unit_price numeric(10, 2) NOT NULL);
CREATE INDEX order_items_order ON order_items (order_id);
CREATE INDEX order_items_product ON order_items (product_id);
INSERT INTO order_items (order_id, product_id, quantity, unit_price)
SELECT 1 + n % 4000, 1 + (hashint4(n) & 1048575) % 300, 1 + n % 3, 10 + n % 37 FROM generate_series(1, 12000) n;
INSERT INTO order_items (order_id, product_id, quantity, unit_price)
SELECT 900000 + n, n, 1, 10 FROM generate_series(1, 9) n;

CREATE TABLE reviews (
    id serial PRIMARY KEY, product_id int NOT NULL REFERENCES products, customer_id int NOT NULL REFERENCES customers,
    stars int NOT NULL, body text, UNIQUE (customer_id, product_id));
INSERT INTO reviews (product_id, customer_id, stars, body)
SELECT 1 + n % 300, 1 + n, 1 + n % 5, 'fine' FROM generate_series(1, 600) n;
CREATE INDEX reviews_product ON reviews (product_id);

CREATE TABLE audit_log (id bigserial PRIMARY KEY, customer_id int, action text, at timestamptz);
INSERT INTO audit_log (customer_id, action, at) SELECT 1 + n % 2500, 'login', now() FROM generate_series(1, 3000) n;

CREATE TABLE carts (id int PRIMARY KEY, customer_id int REFERENCES customers, token uuid);
CREATE SEQUENCE carts_id_seq OWNED BY carts.id MAXVALUE 1000;
ALTER TABLE carts ALTER id SET DEFAULT nextval('carts_id_seq');
INSERT INTO carts (customer_id, token) SELECT 1 + n, gen_random_uuid() FROM generate_series(1, 950) n;

GRANT INSERT ON carts TO PUBLIC;
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 25) NOT VALID;
