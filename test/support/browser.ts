// A real Chromium for tests of the page. One that complains, of a script's error
// or of what the page's own policy forbids, fails its test.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { until } from './cluster.js';
import { findProgram } from './programs.js';

const WAIT_MS = 20_000;
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** A connection that a test cuts off is no fault of the page. */
const EXPECTED = /Failed to load resource|net::ERR/;

export interface Finding {
  id: string;
  impact: string;
  where: string;
}

export class PageUser {
  readonly complaints: string[] = [];

  private constructor(
    readonly browser: Browser,
    readonly page: Page,
  ) {}

  static async open(): Promise<PageUser> {
    const executablePath = findProgram('chromium');
    assert.ok(executablePath !== undefined, 'chromium is installed');
    // Root has no sandbox.
    const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    const page = await browser.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const user = new PageUser(browser, page);
    page.on('pageerror', (error) => user.complaints.push(String(error)));
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !EXPECTED.test(text)) user.complaints.push(text);
    });
    return user;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }

  size(width: number, height: number): Promise<void> {
    return this.page.setViewport({ width, height });
  }

  /** What a script in the page answers: an expression, as text, since the page has its own types. */
  ask<T>(expression: string): Promise<T> {
    return this.page.evaluate(expression) as Promise<T>;
  }

  /** What the eye sees. */
  text(): Promise<string> {
    return this.ask('document.body.innerText');
  }

  textOf(selector: string): Promise<string> {
    return this.ask(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`);
  }

  async untilText(pattern: RegExp, timeoutMs = WAIT_MS): Promise<void> {
    let last = '';
    const isThere = async (): Promise<boolean> => {
      last = await this.text();
      return pattern.test(last);
    };
    await until(String(pattern), isThere, timeoutMs).catch((error) => {
      throw new Error(`${error} in:\n${last}`);
    });
  }

  /** Presses the button of that name, as screen readers call it. */
  async press(name: string): Promise<void> {
    const button = await this.page.waitForSelector(`::-p-aria([name="${name}"][role="button"])`);
    await button?.click();
  }

  async check(name: string): Promise<void> {
    const box = await this.page.waitForSelector(`::-p-aria([name="${name}"][role="checkbox"])`);
    await box?.click();
  }

  /** What is drawn is wider than the window. */
  isTooWide(): Promise<boolean> {
    return this.ask('document.documentElement.scrollWidth > window.innerWidth');
  }

  /** What axe finds that is serious or worse. */
  async findings(): Promise<Finding[]> {
    if (!(await this.ask("'axe' in window"))) await this.ask(`${await readFile(AXE, 'utf8')}; undefined`);
    return this.ask(`axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map(({ html }) => html).join('\\n') })))`);
  }
}
