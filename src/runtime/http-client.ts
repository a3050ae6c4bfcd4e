// Requests to servers that others have written, by HTTP. Passed in, so that tests can answer them from memory.

export interface HttpAnswer {
  status: number;
  body: string;
}

export interface HttpClient {
  /** Rejects when no whole answer has come within the deadline: the request may have been carried out, or may be later. */
  post(url: string, body: string, headers: Readonly<Record<string, string>>, deadlineMs: number): Promise<HttpAnswer>;
}
