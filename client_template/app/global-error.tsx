"use client";

/** The last resort: without styles, since even those may be what failed. */
export default function GlobalError({ reset }: { reset: () => void }) {
  return (
    <html lang="en">
      <body>
        <main>
          <h1>The app failed</h1>
          <p>Nothing is lost. Load the page again; if it goes on, tell your agency.</p>
          <button type="button" onClick={reset}>
            Try again
          </button>
        </main>
      </body>
    </html>
  );
}
