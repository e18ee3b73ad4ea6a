-- What only some editions and versions have.
CREATE TABLE tpolicies (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, name text, PRIMARY KEY (id)
);

CREATE TABLE tpolicy_groups (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_policy int(10) unsigned DEFAULT 0,
  id_group int(10) unsigned DEFAULT 0, PRIMARY KEY (id)
);

CREATE TABLE tpolicy_group_agents (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_policy int(10) unsigned DEFAULT 0,
  id_agent int(10) unsigned DEFAULT 0, direct tinyint(3) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (id), KEY id_agent (id_agent),
  FOREIGN KEY (id_agent) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tpolicy_queue (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_policy int(10) unsigned NOT NULL DEFAULT 0,
  id_agent int(10) unsigned NOT NULL DEFAULT 0, operation varchar(15) DEFAULT '',
  progress int(10) NOT NULL DEFAULT 0, end_utimestamp int(10) unsigned NOT NULL DEFAULT 0,
  priority int(10) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id)
);

CREATE TABLE tservice (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL DEFAULT '',
  PRIMARY KEY (id)
);

CREATE TABLE tservice_element (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_service int(10) unsigned NOT NULL,
  description text, id_agente_modulo int(10) unsigned NOT NULL DEFAULT 0,
  id_agent int(10) unsigned NOT NULL DEFAULT 0,
  id_service_child int(10) unsigned NOT NULL DEFAULT 0,
  id_server_meta int(10) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id),
  KEY IDX_tservice_element (id_service, id_agente_modulo),
  KEY tservice_element_service (id_service), KEY tservice_element_agent (id_agent),
  KEY tservice_element_am (id_agente_modulo)
);

CREATE TABLE tagent_access (
  id_agent int(10) unsigned NOT NULL DEFAULT 0, utimestamp bigint(20) NOT NULL DEFAULT 0,
  KEY agent_index (id_agent), KEY idx_utimestamp (utimestamp)
);

CREATE TABLE tncm_agent (
  id_agent int(10) unsigned NOT NULL, updated_at bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (id_agent),
  FOREIGN KEY (id_agent) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tncm_agent_data (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT, id_agent int(10) unsigned NOT NULL,
  script_type int(10) unsigned NOT NULL DEFAULT 0, data longtext,
  updated_at bigint(20) NOT NULL DEFAULT 0, status int(11) NOT NULL DEFAULT 5, PRIMARY KEY (id),
  KEY id_agent (id_agent),
  FOREIGN KEY (id_agent) REFERENCES tagente (id_agente) ON DELETE CASCADE
);

CREATE TABLE tncm_queue (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT, id_agent int(10) unsigned NOT NULL,
  utimestamp bigint(20) unsigned NOT NULL, scheduled int(10) unsigned, PRIMARY KEY (id),
  KEY id_agent (id_agent),
  FOREIGN KEY (id_agent) REFERENCES tagente (id_agente) ON DELETE CASCADE
);
