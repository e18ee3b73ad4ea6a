-- Values by module and time: none of these tables but one has a key.
CREATE TABLE tagente_datos (
  id_agente_modulo int(10) unsigned NOT NULL DEFAULT 0, datos double,
  utimestamp bigint(20) DEFAULT 0, KEY data_index1 (id_agente_modulo, utimestamp),
  KEY idx_utimestamp (utimestamp)
);

CREATE TABLE tagente_datos_string (
  id_agente_modulo int(10) unsigned NOT NULL DEFAULT 0, datos mediumtext,
  utimestamp int(10) unsigned NOT NULL DEFAULT 0,
  KEY data_string_index_1 (id_agente_modulo, utimestamp), KEY idx_utimestamp (utimestamp)
);

CREATE TABLE tagente_datos_inc (
  id_agente_modulo int(10) unsigned NOT NULL DEFAULT 0, datos double,
  utimestamp int(10) unsigned DEFAULT 0, KEY data_inc_index_1 (id_agente_modulo)
);

CREATE TABLE tagente_datos_log4x (
  id_tagente_datos_log4x bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  id_agente_modulo int(10) unsigned NOT NULL DEFAULT 0, severity text, message text,
  stacktrace text, utimestamp int(10) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (id_tagente_datos_log4x), KEY data_log4x_index_1 (id_agente_modulo)
);

CREATE TABLE tagente_datos_inventory (
  id_agent_module_inventory int(11) NOT NULL, `data` mediumblob NOT NULL,
  utimestamp bigint(20) DEFAULT 0, `timestamp` datetime DEFAULT '1970-01-01 00:00:00',
  KEY idx_id_agent_module (id_agent_module_inventory), KEY idx_utimestamp (utimestamp)
);
