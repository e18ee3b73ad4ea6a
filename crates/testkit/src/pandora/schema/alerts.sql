-- Alerts of modules, and days on which others apply.
CREATE TABLE talert_template_modules (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_agent_module int(10) unsigned NOT NULL,
  id_alert_template int(10) unsigned NOT NULL,
  id_policy_alerts int(10) unsigned NOT NULL DEFAULT 0, internal_counter int(11) DEFAULT 0,
  last_fired bigint(20) NOT NULL DEFAULT 0, last_reference bigint(20) NOT NULL DEFAULT 0,
  times_fired int(11) NOT NULL DEFAULT 0, disabled tinyint(4) DEFAULT 0,
  standby tinyint(4) DEFAULT 0, priority tinyint(4) DEFAULT 0,
  force_execution tinyint(4) DEFAULT 0, disabled_by_downtime tinyint(4) NOT NULL DEFAULT 0,
  PRIMARY KEY (id), KEY force_execution (force_execution), KEY idx_disabled (disabled),
  KEY idx_template_module (id_agent_module),
  UNIQUE KEY id_agent_module (id_agent_module, id_alert_template, id_policy_alerts),
  KEY id_alert_template (id_alert_template),
  FOREIGN KEY (id_agent_module) REFERENCES tagente_modulo (id_agente_modulo) ON DELETE CASCADE,
  FOREIGN KEY (id_alert_template) REFERENCES talert_templates (id) ON DELETE CASCADE
);

CREATE TABLE talert_special_days (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_calendar int(10) unsigned NOT NULL DEFAULT 1,
  id_group int(11) NOT NULL DEFAULT 0, `date` date NOT NULL DEFAULT '1970-01-01',
  day_code tinyint(4) NOT NULL, description text, PRIMARY KEY (id), KEY id_calendar (id_calendar),
  FOREIGN KEY (id_calendar) REFERENCES talert_calendar (id) ON DELETE CASCADE
);

CREATE TABLE talert_templates (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, name text, PRIMARY KEY (id)
);

CREATE TABLE talert_template_module_actions (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, id_alert_template_module int(10) unsigned NOT NULL,
  id_alert_action int(10) unsigned NOT NULL, PRIMARY KEY (id),
  KEY id_alert_template_module (id_alert_template_module),
  FOREIGN KEY (id_alert_template_module) REFERENCES talert_template_modules (id) ON DELETE CASCADE
);

CREATE TABLE talert_calendar (
  id int(10) unsigned NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL DEFAULT '',
  PRIMARY KEY (id)
);
