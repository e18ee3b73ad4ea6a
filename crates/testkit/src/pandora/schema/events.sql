-- Events, the audit log, traps, sessions of the console, values to be exported.
CREATE TABLE tevento (
  id_evento bigint(20) unsigned NOT NULL AUTO_INCREMENT, id_agente int(11) NOT NULL DEFAULT 0,
  id_usuario varchar(255) NOT NULL DEFAULT '0', id_grupo mediumint(9) NOT NULL DEFAULT 0,
  estado tinyint(3) unsigned NOT NULL DEFAULT 0,
  `timestamp` datetime NOT NULL DEFAULT '1970-01-01 00:00:00', evento text,
  utimestamp bigint(20) NOT NULL DEFAULT 0,
  event_type enum('going_unknown','unknown','alert_fired','alert_recovered','alert_ceased',
    'alert_manual_validation','recon_host_detected','system','error','new_agent',
    'going_up_warning','going_up_critical','going_down_warning','going_down_normal',
    'going_down_critical','going_up_normal','configuration_change','ncm') DEFAULT 'unknown',
  id_agentmodule int(11) NOT NULL DEFAULT 0, id_alert_am int(11) NOT NULL DEFAULT 0,
  criticity int(10) unsigned NOT NULL DEFAULT 0, tags text, `source` tinytext, id_extra tinytext,
  critical_instructions text, warning_instructions text, unknown_instructions text,
  owner_user varchar(100) NOT NULL DEFAULT '', ack_utimestamp bigint(20) NOT NULL DEFAULT 0,
  custom_data text, `data` tinytext, module_status int(11) NOT NULL DEFAULT 0,
  event_custom_id text, PRIMARY KEY (id_evento), KEY agente_modulo_estado (estado, id_agentmodule),
  KEY idx_agente (id_agente), KEY idx_agentmodule (id_agentmodule), KEY idx_utimestamp (utimestamp)
);

CREATE TABLE tevent_extended (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT, id_evento bigint(20) unsigned NOT NULL,
  external_id bigint(20) unsigned, utimestamp bigint(20) NOT NULL DEFAULT 0, description text,
  PRIMARY KEY (id), KEY tevent_ext_fk (id_evento),
  FOREIGN KEY (id_evento) REFERENCES tevento (id_evento) ON DELETE CASCADE
);

CREATE TABLE tsesion (
  id_sesion bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  id_usuario varchar(255) NOT NULL DEFAULT '0', ip_origen varchar(100) NOT NULL DEFAULT '',
  accion varchar(100) NOT NULL DEFAULT '', descripcion text,
  fecha datetime NOT NULL DEFAULT '1970-01-01 00:00:00',
  utimestamp bigint(20) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id_sesion),
  KEY idx_user (id_usuario)
);

CREATE TABLE tsesion_extended (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_sesion int(10) unsigned NOT NULL,
  extended_info text, hash varchar(255) DEFAULT '', PRIMARY KEY (id), KEY idx_session (id_sesion)
);

CREATE TABLE ttrap (
  id_trap bigint(20) unsigned NOT NULL AUTO_INCREMENT, `source` varchar(50) NOT NULL DEFAULT '',
  oid text, oid_custom text, `type` int(11) NOT NULL DEFAULT 0,
  type_custom varchar(100) DEFAULT '', value text, value_custom text,
  alerted smallint(6) NOT NULL DEFAULT 0, `status` smallint(6) NOT NULL DEFAULT 0,
  id_usuario varchar(255) DEFAULT '', `timestamp` datetime NOT NULL DEFAULT '1970-01-01 00:00:00',
  priority tinyint(3) unsigned NOT NULL DEFAULT 2, `text` varchar(255) DEFAULT '',
  description varchar(255) DEFAULT '', severity tinyint(3) unsigned NOT NULL DEFAULT 2,
  utimestamp int(10) unsigned NOT NULL DEFAULT 0, PRIMARY KEY (id_trap), KEY `source` (source),
  KEY `status` (status), KEY `timestamp` (`timestamp`)
);

CREATE TABLE tsessions_php (
  id_session char(52) NOT NULL, last_active int(11) NOT NULL, `data` text, PRIMARY KEY (id_session)
);

CREATE TABLE tserver_export_data (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_export_server int(10) unsigned,
  agent_name varchar(100) NOT NULL DEFAULT '', module_name varchar(600) NOT NULL DEFAULT '',
  module_type varchar(100) NOT NULL DEFAULT '', `data` varchar(255),
  `timestamp` datetime NOT NULL DEFAULT '1970-01-01 00:00:00', PRIMARY KEY (id)
);

CREATE TABLE tevent_comment (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT, id_event bigint(20) unsigned NOT NULL,
  utimestamp bigint(20) NOT NULL DEFAULT 0, comment text, id_user varchar(255), PRIMARY KEY (id),
  KEY id_event (id_event),
  FOREIGN KEY (id_event) REFERENCES tevento (id_evento) ON DELETE CASCADE
);
