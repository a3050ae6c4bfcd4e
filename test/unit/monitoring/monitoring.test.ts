import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { run } from '../../support/cluster.js';
import {
  ALERTS,
  alertRules,
  dashboardPanels,
  documentedEvents,
  documentedMetrics,
  metricsIn,
} from '../../support/monitoring.js';
import { requirePrograms } from '../../support/programs.js';

const ALERT_TESTS = 'test/unit/monitoring/alerts-test.yml';

describe('alerts and dashboard', () => {
  it('use metrics that are documented', async () => {
    const documented = await documentedMetrics();
    const panels = await dashboardPanels();
    const expressions = [
      ...(await alertRules()).map(({ expr }) => expr),
      ...panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr),
    ];
    assert.ok(expressions.length > 30);
    const unknown = expressions.flatMap(metricsIn).filter((name) => !documented.has(name));
    assert.deepEqual(unknown, []);
  });

  it('use events that are documented, which are those that the mediator counts', async () => {
    const source = await readFile('src/mediator/counters.ts', 'utf8');
    const union = source.slice(source.indexOf('CounterName'), source.indexOf(';', source.indexOf('CounterName')));
    const counted = [...union.matchAll(/'(\w+)'/g)].map(([, name]) => name ?? '');
    assert.deepEqual((await documentedEvents()).sort(), [...counted, 'dissents', 'repairs'].sort());
    const panels = await dashboardPanels();
    const used = JSON.stringify([await alertRules(), panels]).matchAll(/event=\\+"(\w+)/g);
    for (const [, name = ''] of used) assert.ok([...counted, 'dissents'].includes(name), name);
  });

  it('a dashboard has panels of different numbers, each with a title', async () => {
    const panels = await dashboardPanels();
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const { title } of panels) assert.notEqual(title, '');
  });

  it('each alert has a test', async () => {
    const tests = await readFile(ALERT_TESTS, 'utf8');
    for (const { alert } of await alertRules()) assert.ok(tests.includes(`alertname: ${alert}\n`), alert);
  });
});

describe('promtool', () => {
  before(function () {
    requirePrograms(this, 'promtool');
  });

  it('finds the alert rules in order', async () => {
    const { status, stdout, stderr } = await run('promtool', ['check', 'rules', ALERTS], '.');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /SUCCESS: \d+ rules found/);
  });

  it('finds that each alert fires when it should, and not before', async () => {
    const { status, stdout, stderr } = await run('promtool', ['test', 'rules', ALERT_TESTS], '.');
    assert.equal(status, 0, stdout + stderr);
  });

  it("can read the dashboard's expressions", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nmrfs-promtool-'));
    try {
      const targets = (await dashboardPanels()).flatMap((panel) => panel.targets ?? []);
      // The interval is Grafana's own.
      const rules = targets.map(({ expr }, at) => ({
        record: `panel:${at}`,
        expr: expr.replace('$__rate_interval', '1m'),
      }));
      const file = join(folder, 'panels.yml');
      await writeFile(file, stringify({ groups: [{ name: 'panels', rules }] }));
      const { status, stdout, stderr } = await run('promtool', ['check', 'rules', file], '.');
      assert.equal(status, 0, stdout + stderr);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
