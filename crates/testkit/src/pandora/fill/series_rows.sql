INSERT INTO tagente_datos SELECT id, value, at FROM (
  SELECT m.id AS id,
    IF(seq % 997 = 0, NULL, ROUND(50 + 40 * SIN(seq / 977) + RAND(seq), 5)) AS value,
    {now} - 60 - FLOOR(({numeric} - seq) * ({numeric_days} * 86400 / {numeric}))
      - IF(seq % 1013 = 0, 7200, 0) AS at
  FROM seq_{first}_to_{last}
  JOIN gen_numeric AS m ON m.n = 1 + IF(seq % 10 < 7, (seq * 31) % LEAST(@numeric, {dense}),
                                        (seq * 7919) % @numeric)
) AS rows_ WHERE NOT (id % 5 = 2 AND at BETWEEN {now} - 20 * 86400 AND {now} - 20 * 86400 + 7200);
