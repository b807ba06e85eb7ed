declare module "twitter-text" {
  const twitter: {
    parseTweet(text: string): { weightedLength: number; valid: boolean; validRangeEnd: number };
    extractUrls(text: string): string[];
  };
  export default twitter;
}
