-- Values. Rows come in the order of time, with holes, late and twice stored rows, and NULLs.
CREATE TEMPORARY TABLE gen_numeric (n INT AUTO_INCREMENT PRIMARY KEY, id INT);
INSERT INTO gen_numeric (id) SELECT id FROM gen_module
  WHERE type NOT IN (3, 10, 17, 23, 24, 33, 36, 38) ORDER BY n;
CREATE TEMPORARY TABLE gen_string (n INT AUTO_INCREMENT PRIMARY KEY, id INT);
INSERT INTO gen_string (id) SELECT id FROM gen_module
  WHERE type IN (3, 10, 17, 23, 33, 36, 38) ORDER BY n;
SELECT COUNT(*) INTO @numeric FROM gen_numeric;
SELECT COUNT(*) INTO @strings FROM gen_string;
-- The last modules of the range, which are the special ones, have rows in any case.
CREATE TEMPORARY TABLE gen_special (n INT AUTO_INCREMENT PRIMARY KEY, id INT);
INSERT INTO gen_special (id) SELECT id FROM gen_module WHERE behind < 140 ORDER BY n;
-- The month's border, the change to winter time, and both sides of the limit, to the second.
CREATE TEMPORARY TABLE gen_edge (n INT AUTO_INCREMENT PRIMARY KEY, age INT);
INSERT INTO gen_edge (age) VALUES (0), (1), (86399), (86400), (7 * 86400 - 1), (7 * 86400),
  (7 * 86400 + 1), (15 * 86400 - 1), (15 * 86400), (15 * 86400 + 1), (30 * 86400 - 1),
  (30 * 86400), (30 * 86400 + 1), (59 * 86400), (400 * 86400);
