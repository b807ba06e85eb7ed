import "./globals.css";

import type { Metadata, Viewport } from "next";
import { headers } from "next/headers";

import { Providers } from "@/components/providers";
import { brandStyles } from "@/lib/branding";
import { config } from "@/lib/config";

export const metadata: Metadata = {
  title: { default: config.name, template: `%s · ${config.name}` },
  description: `Content, leads and numbers of ${config.name}.`,
  robots: { index: false, follow: false },
  referrer: "strict-origin-when-cross-origin",
};

export const viewport: Viewport = {
  width: "device-width",
  initialScale: 1,
  viewportFit: "cover",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fafaf9" },
    { media: "(prefers-color-scheme: dark)", color: "#121416" },
  ],
};

export default async function RootLayout({ children }: { children: React.ReactNode }) {
  const nonce = (await headers()).get("x-nonce") ?? undefined;
  return (
    // The theme's class is set before the first paint, by a script: React must not wonder.
    <html lang={config.locale} suppressHydrationWarning>
      <head>
        <style nonce={nonce} suppressHydrationWarning>
          {brandStyles(config.branding.primaryColor, config.branding.accentColor)}
        </style>
      </head>
      <body>
        <Providers nonce={nonce}>{children}</Providers>
      </body>
    </html>
  );
}
