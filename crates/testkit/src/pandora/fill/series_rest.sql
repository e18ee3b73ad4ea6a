INSERT INTO tagente_datos SELECT s.id, e.n, {now} - e.age FROM gen_special AS s JOIN gen_edge AS e ORDER BY s.n, e.n;
INSERT INTO tagente_datos SELECT s.id, 1, NULL FROM gen_special AS s WHERE s.n <= 20;
INSERT INTO tagente_datos SELECT s.id, 7, {now} - 40 * 86400 FROM gen_special AS s JOIN seq_1_to_2;
INSERT INTO tagente_datos SELECT 6000000 + seq % 7, seq, {now} - 86400 - seq FROM seq_1_to_500;

INSERT INTO tagente_datos_string
  SELECT m.id, CONCAT('value ', seq),
    {now} - 60 - FLOOR(({strings} - seq) * ({string_days} * 86400 / {strings}))
  FROM seq_1_to_{strings} JOIN gen_string AS m ON m.n = 1 + (seq * 7919) % @strings;
INSERT INTO tagente_datos_string
  SELECT s.id, 'edge', {now} - e.age FROM gen_special AS s JOIN gen_edge AS e ORDER BY s.n, e.n;

INSERT INTO tagente_datos_inc
  SELECT id, n, {now} - n % 300 FROM gen_module WHERE type IN (4, 5, 11, 16, 37) OR behind < 140;
INSERT INTO tagente_datos_inc SELECT 6000000 + seq, seq, {now} FROM seq_1_to_25;
INSERT INTO tagente_datos_log4x (id_agente_modulo, severity, message, stacktrace, utimestamp)
  SELECT s.id, 'WARN', 'message', '', {now} - e.age FROM gen_special AS s JOIN gen_edge AS e ORDER BY s.n, e.n;
