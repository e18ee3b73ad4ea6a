-- What only some editions and versions have.
INSERT INTO tpolicies VALUES (1, 'policy');
INSERT INTO tpolicy_groups (id_policy, id_group) VALUES (1, 1);
INSERT INTO tpolicy_group_agents (id_policy, id_agent) SELECT 1, id FROM gen_agent WHERE behind < 20
  ORDER BY n;
INSERT INTO tpolicy_queue (id_policy, id_agent, operation, end_utimestamp)
  SELECT 1, 1 + seq % 10, 'apply', IF(seq % 4 = 0, 0, {now} - seq * 17280) FROM seq_1_to_300;
INSERT INTO tservice VALUES (1, 'service');
INSERT INTO tservice_element (id_service, id_agente_modulo, id_agent, id_service_child)
  SELECT 1, id, 0, 0 FROM gen_module WHERE n % 50 = 0 OR behind < 30 ORDER BY n;
INSERT INTO tservice_element (id_service, id_agente_modulo, id_agent, id_service_child) VALUES
  (1, 5800001, 0, 0), (1, 0, 7200001, 0), (1, 0, 1, 0), (1, 0, 0, 1), (1, 0, 0, 77), (77, 1, 0, 0);
INSERT INTO tservice_element (id_service, id_agente_modulo, id_server_meta) VALUES (1, 5800002, 3);
INSERT INTO tagent_access
  SELECT 1 + seq % {agents}, {now} - seq * 60 FROM seq_1_to_3000;
INSERT INTO tncm_agent SELECT id, {now} FROM gen_agent WHERE behind < 20 ORDER BY n;
INSERT INTO tncm_agent_data (id_agent, data, updated_at)
  SELECT a.id, 'configuration', {now} - s.seq * 86400 * 5 FROM gen_agent AS a JOIN seq_1_to_12 AS s
  WHERE a.behind < 20 ORDER BY a.n, s.seq;
INSERT INTO tncm_queue (id_agent, utimestamp) SELECT id, {now} FROM gen_agent WHERE behind < 20 ORDER BY n;
