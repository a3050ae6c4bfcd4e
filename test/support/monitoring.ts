// What docs/monitoring has: the documented metrics, and the expressions that use them.
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';

export const ALERTS = 'docs/monitoring/alerts.yml';
const PAGE = 'docs/monitoring.md';
const DASHBOARD = 'docs/monitoring/grafana.json';

/** Type by name of metric, as documented. */
export async function documentedMetrics(): Promise<Map<string, string>> {
  const rows = (await readFile(PAGE, 'utf8')).matchAll(/^\| (nmrfs_\w+) \| (\w+) \|/gm);
  return new Map([...rows].map(([, name = '', type = '']) => [name, type]));
}

/** The values of the label `event` that are documented. */
export async function documentedEvents(): Promise<string[]> {
  const page = await readFile(PAGE, 'utf8');
  const table = page.slice(page.indexOf('| event | meaning |'), page.indexOf('An event that has not happened'));
  return [...table.matchAll(/^\| ([a-zA-Z, ]+) \|/gm)].flatMap(([, names = '']) => names.split(', ')).slice(1);
}

interface Rule {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}

export async function alertRules(): Promise<Rule[]> {
  const { groups } = parse(await readFile(ALERTS, 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

interface Panel {
  id: number;
  title: string;
  targets?: { expr: string }[];
}

export async function dashboardPanels(): Promise<Panel[]> {
  return (JSON.parse(await readFile(DASHBOARD, 'utf8')) as { panels: Panel[] }).panels;
}

/** Names of metrics in an expression; a histogram's by its own name. */
export function metricsIn(expression: string): string[] {
  return [...expression.matchAll(/\bnmrfs_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
}
