/**
 * The database as its API gives it to signed-in people, column by column.
 *
 * Written by scripts/client_database_types.py at DraggonnB from the migrated schema: do not edit.
 */
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  public: {
    Tables: {
      activities: {
        Row: {
          completed_at: string | null;
          contact_id: string;
          created_at: string;
          deal_id: string | null;
          due_at: string | null;
          id: string;
          lead_id: string | null;
          notes: string | null;
          type: "call" | "email" | "meeting" | "whatsapp" | "note" | "task";
          updated_at: string;
          user_id: string | null;
        };
        Insert: {
          completed_at?: string | null;
          contact_id: string;
          created_at?: string;
          deal_id?: string | null;
          due_at?: string | null;
          id?: string;
          lead_id?: string | null;
          notes?: string | null;
          type: "call" | "email" | "meeting" | "whatsapp" | "note" | "task";
          updated_at?: string;
          user_id?: string | null;
        };
        Update: {
          completed_at?: string | null;
          contact_id?: string;
          created_at?: string;
          deal_id?: string | null;
          due_at?: string | null;
          id?: string;
          lead_id?: string | null;
          notes?: string | null;
          type?: "call" | "email" | "meeting" | "whatsapp" | "note" | "task";
          updated_at?: string;
          user_id?: string | null;
        };
        Relationships: [
          { foreignKeyName: "activities_contact_id_fkey"; columns: ["contact_id"]; isOneToOne: false; referencedRelation: "contacts"; referencedColumns: ["id"] },
          { foreignKeyName: "activities_deal_id_fkey"; columns: ["deal_id"]; isOneToOne: false; referencedRelation: "deals"; referencedColumns: ["id"] },
          { foreignKeyName: "activities_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
          { foreignKeyName: "activities_user_id_fkey"; columns: ["user_id"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      ai_generation_log: {
        Row: {
          attempt: number;
          cache_creation_tokens: number;
          cache_read_tokens: number;
          content_request_id: string | null;
          cost_usd: number;
          cost_zar: number;
          created_at: string;
          id: string;
          input_tokens: number;
          lead_id: string | null;
          message_batch_id: string | null;
          model: string;
          output: Json | null;
          output_tokens: number;
          prompt: Json;
          prompt_hash: string;
          prompt_name: string;
          purpose: string;
          request_hash: string;
          stop_reason: string | null;
          tokens_used: number;
          usable: boolean;
          vendor_request_id: string | null;
          web_searches: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "ai_generation_log_content_request_id_fkey"; columns: ["content_request_id"]; isOneToOne: false; referencedRelation: "content_requests"; referencedColumns: ["id"] },
          { foreignKeyName: "ai_generation_log_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      alerts: {
        Row: {
          about: string[];
          account_id: string | null;
          acknowledged_at: string | null;
          acknowledged_by: string | null;
          created_at: string;
          escalate_at: string | null;
          event: string;
          event_key: string;
          id: string;
          level: number;
          lines: Json;
          link: string | null;
          subject: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "alerts_account_id_fkey"; columns: ["account_id"]; isOneToOne: false; referencedRelation: "social_accounts"; referencedColumns: ["id"] },
        ];
      };
      analytics_snapshots: {
        Row: {
          changes: Json;
          created_at: string;
          id: string;
          metrics: Json;
          organization_id: string;
          period: "day" | "week" | "month";
          period_end: string;
          period_start: string;
          restates: string | null;
          run_id: string | null;
          version: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "analytics_snapshots_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
          { foreignKeyName: "analytics_snapshots_restates_fkey"; columns: ["restates"]; isOneToOne: false; referencedRelation: "analytics_snapshots"; referencedColumns: ["id"] },
        ];
      };
      audit_log: {
        Row: {
          action: string;
          actor: string;
          at: string;
          hash: string;
          id: number;
          metadata: Json;
          prev_hash: string;
          resource: string;
          user_id: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [];
      };
      brand_rules: {
        Row: {
          audience: string;
          banned_claims: string[];
          banned_words: string[];
          created_at: string;
          hashtags: string[];
          language: string;
          organization_id: string;
          required_disclaimer: string | null;
          updated_at: string;
          voice: string;
        };
        Insert: {
          audience?: string;
          banned_claims?: string[];
          banned_words?: string[];
          created_at?: string;
          hashtags?: string[];
          language?: string;
          organization_id?: string;
          required_disclaimer?: string | null;
          updated_at?: string;
          voice?: string;
        };
        Update: {
          audience?: string;
          banned_claims?: string[];
          banned_words?: string[];
          created_at?: string;
          hashtags?: string[];
          language?: string;
          organization_id?: string;
          required_disclaimer?: string | null;
          updated_at?: string;
          voice?: string;
        };
        Relationships: [
          { foreignKeyName: "brand_rules_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: true; referencedRelation: "organizations"; referencedColumns: ["id"] },
        ];
      };
      client_custom_fields: {
        Row: {
          created_at: string;
          data: Json;
          entity: "organization" | "contact" | "lead" | "deal" | "activity" | "social_post";
          entity_id: string;
          id: string;
          updated_at: string;
        };
        Insert: {
          created_at?: string;
          data?: Json;
          entity: "organization" | "contact" | "lead" | "deal" | "activity" | "social_post";
          entity_id: string;
          id?: string;
          updated_at?: string;
        };
        Update: {
          created_at?: string;
          data?: Json;
          entity?: "organization" | "contact" | "lead" | "deal" | "activity" | "social_post";
          entity_id?: string;
          id?: string;
          updated_at?: string;
        };
        Relationships: [];
      };
      client_usage_metrics: {
        Row: {
          created_at: string;
          date: string;
          id: string;
          metric_name: string;
          organization_id: string;
          updated_at: string;
          value: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "client_usage_metrics_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
        ];
      };
      company_profiles: {
        Row: {
          company_name: string | null;
          created_at: string;
          facts: Json;
          fetched_at: string;
          findings: Json;
          id: string;
          lead_id: string;
          pages: number;
          sector: string | null;
          size_hint: string | null;
          status: "ok" | "no_website" | "unreachable" | "refused" | "robots_disallowed" | "too_large" | "not_html" | "error";
          version: number;
          website: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "company_profiles_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      consents: {
        Row: {
          contact_id: string;
          granted: boolean;
          id: string;
          inbox_id: string | null;
          purpose: "contact" | "marketing";
          recorded_at: string;
          source: string;
          wording: string;
        };
        Insert: {
          contact_id: string;
          granted: boolean;
          purpose: "contact" | "marketing";
          source: string;
          wording: string;
        };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "consents_contact_id_fkey"; columns: ["contact_id"]; isOneToOne: false; referencedRelation: "contacts"; referencedColumns: ["id"] },
        ];
      };
      contacts: {
        Row: {
          company: string | null;
          created_at: string;
          email: string | null;
          email_normalized: string | null;
          erased_at: string | null;
          id: string;
          lead_id: string | null;
          name: string | null;
          phone_e164: string | null;
          updated_at: string;
          website: string | null;
        };
        Insert: {
          company?: string | null;
          created_at?: string;
          email?: string | null;
          email_normalized?: string | null;
          erased_at?: string | null;
          id?: string;
          lead_id?: string | null;
          name?: string | null;
          phone_e164?: string | null;
          updated_at?: string;
          website?: string | null;
        };
        Update: {
          company?: string | null;
          created_at?: string;
          email?: string | null;
          email_normalized?: string | null;
          erased_at?: string | null;
          id?: string;
          lead_id?: string | null;
          name?: string | null;
          phone_e164?: string | null;
          updated_at?: string;
          website?: string | null;
        };
        Relationships: [
          { foreignKeyName: "contacts_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      content_queue: {
        Row: {
          absences: number;
          account_id: string;
          attempt_started_at: string | null;
          attempts: number;
          cost_usd: number;
          created_at: string;
          due_at: string;
          error_class: string | null;
          fingerprint: string;
          first_attempt_at: string | null;
          id: string;
          last_error: string | null;
          late_ok: boolean;
          lateness_seconds: number | null;
          lease_until: string | null;
          measure_at: string | null;
          measure_problem: string | null;
          measuring_run: string | null;
          part: number;
          part_kind: "post" | "reply" | "comment";
          payload: Json;
          payload_hash: string | null;
          platform_id: string;
          platform_post_id: string | null;
          platform_url: string | null;
          post_id: string;
          progress: Json;
          publish_at: string;
          published_at: string | null;
          question: string | null;
          reads: number;
          revision: number;
          run_id: string | null;
          status: "scheduled" | "claimed" | "calling" | "published" | "refused" | "unknown" | "needs_review" | "cancelled" | "dropped" | "undo_requested" | "undone";
          tries: number;
          undo_by: string | null;
          undo_requested_at: string | null;
          undone_at: string | null;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "content_queue_account_id_fkey"; columns: ["account_id"]; isOneToOne: false; referencedRelation: "social_accounts"; referencedColumns: ["id"] },
          { foreignKeyName: "content_queue_platform_id_fkey"; columns: ["platform_id"]; isOneToOne: false; referencedRelation: "social_platforms"; referencedColumns: ["id"] },
          { foreignKeyName: "content_queue_post_id_fkey"; columns: ["post_id"]; isOneToOne: false; referencedRelation: "social_posts"; referencedColumns: ["id"] },
        ];
      };
      content_requests: {
        Row: {
          brief: string;
          created_at: string;
          delivery_id: string;
          faults: Json;
          id: string;
          media: Json;
          platform_ids: string[];
          received_at: string;
          received_on: string;
          requested_by: string | null;
          review_reason: string | null;
          schedule: Json;
          source: string;
          status: "received" | "generated" | "refused" | "needs_review";
          template_id: string | null;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "content_requests_template_id_fkey"; columns: ["template_id"]; isOneToOne: false; referencedRelation: "content_templates"; referencedColumns: ["id"] },
        ];
      };
      content_templates: {
        Row: {
          created_at: string;
          created_by: string | null;
          description: string;
          id: string;
          is_archived: boolean;
          is_default: boolean;
          name: string;
          platform_config: Json;
          prompt_template: string;
          updated_at: string;
        };
        Insert: {
          created_at?: string;
          created_by?: string | null;
          description?: string;
          id?: string;
          is_archived?: boolean;
          is_default?: boolean;
          name: string;
          platform_config?: Json;
          prompt_template: string;
          updated_at?: string;
        };
        Update: {
          created_at?: string;
          created_by?: string | null;
          description?: string;
          id?: string;
          is_archived?: boolean;
          is_default?: boolean;
          name?: string;
          platform_config?: Json;
          prompt_template?: string;
          updated_at?: string;
        };
        Relationships: [
          { foreignKeyName: "content_templates_created_by_fkey"; columns: ["created_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      deals: {
        Row: {
          closed_at: string | null;
          contact_id: string;
          created_at: string;
          currency: string;
          expected_close_on: string | null;
          id: string;
          lead_id: string | null;
          lost_reason: string | null;
          owner_id: string | null;
          probability: number;
          stage: "qualified" | "proposal" | "negotiation" | "won" | "lost";
          title: string;
          updated_at: string;
          value_cents: number;
        };
        Insert: {
          closed_at?: string | null;
          contact_id: string;
          created_at?: string;
          currency?: string;
          expected_close_on?: string | null;
          id?: string;
          lead_id?: string | null;
          lost_reason?: string | null;
          owner_id?: string | null;
          probability?: number;
          stage?: "qualified" | "proposal" | "negotiation" | "won" | "lost";
          title: string;
          updated_at?: string;
          value_cents?: number;
        };
        Update: {
          closed_at?: string | null;
          contact_id?: string;
          created_at?: string;
          currency?: string;
          expected_close_on?: string | null;
          id?: string;
          lead_id?: string | null;
          lost_reason?: string | null;
          owner_id?: string | null;
          probability?: number;
          stage?: "qualified" | "proposal" | "negotiation" | "won" | "lost";
          title?: string;
          updated_at?: string;
          value_cents?: number;
        };
        Relationships: [
          { foreignKeyName: "deals_contact_id_fkey"; columns: ["contact_id"]; isOneToOne: false; referencedRelation: "contacts"; referencedColumns: ["id"] },
          { foreignKeyName: "deals_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
          { foreignKeyName: "deals_owner_id_fkey"; columns: ["owner_id"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      evidence: {
        Row: {
          created_at: string;
          fetched_at: string;
          http_status: number | null;
          id: string;
          lead_id: string;
          sha256: string;
          subject: "company" | "competitor";
          text: string;
          title: string | null;
          url: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "evidence_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      invoices: {
        Row: {
          amount_cents: number;
          created_at: string;
          currency: string;
          id: string;
          issued_at: string;
          kind: "period" | "charge";
          net_cents: number;
          number: string;
          organization_id: string;
          paid_at: string | null;
          payfast_payment_id: string | null;
          period_end: string;
          period_start: string;
          status: "issued" | "paid" | "void";
          subscription_id: string;
          updated_at: string;
          url: string | null;
          vat_cents: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "invoices_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
        ];
      };
      lead_analyses: {
        Row: {
          claims_total: number;
          claims_unsupported: number;
          content: Json;
          created_at: string;
          generation_id: string | null;
          id: string;
          kind: "competitors" | "business";
          lead_id: string;
          model: string;
          prompt_hash: string;
          request_hash: string;
          version: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "lead_analyses_generation_id_fkey"; columns: ["generation_id"]; isOneToOne: false; referencedRelation: "ai_generation_log"; referencedColumns: ["id"] },
          { foreignKeyName: "lead_analyses_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      lead_events: {
        Row: {
          created_at: string;
          delivery_id: string;
          id: string;
          inbox_id: string | null;
          lead_id: string;
          occurred_at: string;
          payload: Json;
          source: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "lead_events_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      leads: {
        Row: {
          assigned_to: string | null;
          company_name: string | null;
          contact_id: string;
          created_at: string;
          id: string;
          message: string | null;
          model_score: number | null;
          model_score_reasons: Json;
          qualification_data: Json;
          received_at: string;
          received_on: string;
          review_reason: string | null;
          rule_score: number | null;
          rule_score_reasons: Json;
          source: string;
          status: "new" | "analysed" | "proposed" | "needs_review" | "contacted" | "won" | "lost";
          updated_at: string;
          website: string | null;
        };
        Insert: { [name in never]: never };
        Update: {
          assigned_to?: string | null;
          company_name?: string | null;
          qualification_data?: Json;
          review_reason?: string | null;
          status?: "new" | "analysed" | "proposed" | "needs_review" | "contacted" | "won" | "lost";
          website?: string | null;
        };
        Relationships: [
          { foreignKeyName: "leads_assigned_to_fkey"; columns: ["assigned_to"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "leads_contact_id_fkey"; columns: ["contact_id"]; isOneToOne: false; referencedRelation: "contacts"; referencedColumns: ["id"] },
        ];
      };
      n8n_webhooks: {
        Row: {
          created_at: string;
          id: string;
          is_active: boolean;
          last_called_at: string | null;
          organization_id: string;
          updated_at: string;
          webhook_type: string;
          webhook_url: string;
          workflow_id: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "n8n_webhooks_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
        ];
      };
      notification_deliveries: {
        Row: {
          attempts: number;
          channel: "email" | "whatsapp" | "in_app";
          created_at: string;
          event_key: string;
          id: string;
          last_error: string | null;
          lead_id: string | null;
          post_id: string | null;
          recipient: string;
          sent_at: string | null;
          status: "pending" | "sending" | "sent" | "delivered" | "unknown" | "failed" | "needs_review" | "skipped";
          topic: "leads" | "notices";
          updated_at: string;
          user_id: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "notification_deliveries_consent_id_fkey"; columns: ["consent_id"]; isOneToOne: false; referencedRelation: "consents"; referencedColumns: ["id"] },
          { foreignKeyName: "notification_deliveries_contact_id_fkey"; columns: ["contact_id"]; isOneToOne: false; referencedRelation: "contacts"; referencedColumns: ["id"] },
          { foreignKeyName: "notification_deliveries_digest_id_fkey"; columns: ["digest_id"]; isOneToOne: false; referencedRelation: "notification_deliveries"; referencedColumns: ["id"] },
          { foreignKeyName: "notification_deliveries_fallback_for_fkey"; columns: ["fallback_for"]; isOneToOne: true; referencedRelation: "notification_deliveries"; referencedColumns: ["id"] },
          { foreignKeyName: "notification_deliveries_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
          { foreignKeyName: "notification_deliveries_post_id_fkey"; columns: ["post_id"]; isOneToOne: false; referencedRelation: "social_posts"; referencedColumns: ["id"] },
          { foreignKeyName: "notification_deliveries_user_id_fkey"; columns: ["user_id"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      notification_preferences: {
        Row: {
          channel: "email" | "whatsapp" | "in_app";
          created_at: string;
          event: string;
          mode: "now" | "digest" | "off";
          updated_at: string;
          user_id: string;
        };
        Insert: {
          channel: "email" | "whatsapp" | "in_app";
          event: string;
          mode: "now" | "digest" | "off";
          user_id: string;
        };
        Update: {
          mode?: "now" | "digest" | "off";
        };
        Relationships: [
          { foreignKeyName: "notification_preferences_user_id_fkey"; columns: ["user_id"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      notifications: {
        Row: {
          created_at: string;
          event_key: string;
          id: string;
          message: string;
          metadata: Json;
          read_at: string | null;
          type: string;
          user_id: string;
        };
        Insert: { [name in never]: never };
        Update: {
          read_at?: string | null;
        };
        Relationships: [
          { foreignKeyName: "notifications_user_id_fkey"; columns: ["user_id"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      onboarding_checklist: {
        Row: {
          completed: boolean;
          completed_at: string | null;
          completed_by: string | null;
          created_at: string;
          id: string;
          organization_id: string;
          step: string;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: {
          completed?: boolean;
        };
        Relationships: [
          { foreignKeyName: "onboarding_checklist_completed_by_fkey"; columns: ["completed_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "onboarding_checklist_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
          { foreignKeyName: "onboarding_checklist_step_fkey"; columns: ["step"]; isOneToOne: false; referencedRelation: "onboarding_steps"; referencedColumns: ["step"] },
        ];
      };
      onboarding_steps: {
        Row: {
          created_at: string;
          description: string;
          position: number;
          step: string;
          title: string;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [];
      };
      organizations: {
        Row: {
          country: string;
          created_at: string;
          currency: string;
          escalation_hours: number;
          id: string;
          late_after_minutes: number;
          late_posts: "publish" | "ask" | "drop";
          limits: Json;
          locale: string;
          media_bucket: string;
          name: string;
          reminder_hours: number;
          requires_approval: boolean;
          skips_public_holidays: boolean;
          slug: string;
          subscription_tier: string | null;
          timezone: string;
          undo_hours: number;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: {
          country?: string;
          escalation_hours?: number;
          late_after_minutes?: number;
          late_posts?: "publish" | "ask" | "drop";
          locale?: string;
          name?: string;
          reminder_hours?: number;
          requires_approval?: boolean;
          skips_public_holidays?: boolean;
          timezone?: string;
          undo_hours?: number;
        };
        Relationships: [];
      };
      platform_metrics: {
        Row: {
          account_id: string;
          api_version: string | null;
          collected_at: string;
          engagement_data: Json;
          id: string;
          is_gone: boolean;
          missing: Json;
          platform_id: string;
          post_id: string | null;
          queue_id: string | null;
          run_id: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "platform_metrics_account_id_fkey"; columns: ["account_id"]; isOneToOne: false; referencedRelation: "social_accounts"; referencedColumns: ["id"] },
          { foreignKeyName: "platform_metrics_platform_id_fkey"; columns: ["platform_id"]; isOneToOne: false; referencedRelation: "social_platforms"; referencedColumns: ["id"] },
          { foreignKeyName: "platform_metrics_post_id_fkey"; columns: ["post_id"]; isOneToOne: false; referencedRelation: "social_posts"; referencedColumns: ["id"] },
          { foreignKeyName: "platform_metrics_queue_id_fkey"; columns: ["queue_id"]; isOneToOne: false; referencedRelation: "content_queue"; referencedColumns: ["id"] },
        ];
      };
      posting_slots: {
        Row: {
          at_local: string;
          created_at: string;
          id: string;
          platform_ids: string[];
          updated_at: string;
          weekday: number;
        };
        Insert: {
          at_local: string;
          created_at?: string;
          id?: string;
          platform_ids?: string[];
          updated_at?: string;
          weekday: number;
        };
        Update: {
          at_local?: string;
          created_at?: string;
          id?: string;
          platform_ids?: string[];
          updated_at?: string;
          weekday?: number;
        };
        Relationships: [];
      };
      proposals: {
        Row: {
          accepted_at: string | null;
          analysis_id: string | null;
          content: Json;
          created_at: string;
          html: string;
          html_sha256: string;
          id: string;
          lead_id: string;
          plan_key: string | null;
          prompt_hash: string;
          request_hash: string;
          status: "draft" | "sent" | "accepted" | "superseded";
          title: string;
          updated_at: string;
          version: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "proposals_analysis_id_fkey"; columns: ["analysis_id"]; isOneToOne: false; referencedRelation: "lead_analyses"; referencedColumns: ["id"] },
          { foreignKeyName: "proposals_lead_id_fkey"; columns: ["lead_id"]; isOneToOne: false; referencedRelation: "leads"; referencedColumns: ["id"] },
        ];
      };
      publish_answers: {
        Row: {
          action: "published" | "not-published" | "publish" | "drop" | "deleted" | "undo";
          applied_at: string | null;
          asked_by: string | null;
          created_at: string;
          id: string;
          outcome: string | null;
          queue_id: string;
          url: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "publish_answers_asked_by_fkey"; columns: ["asked_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "publish_answers_queue_id_fkey"; columns: ["queue_id"]; isOneToOne: false; referencedRelation: "content_queue"; referencedColumns: ["id"] },
        ];
      };
      publish_attempts: {
        Row: {
          attempt: number;
          created_at: string;
          error_code: string | null;
          finished_at: string | null;
          http_status: number | null;
          id: string;
          latency_ms: number | null;
          message: string | null;
          outcome: "published" | "retry" | "throttled" | "ambiguous" | "duplicate" | "auth" | "permission" | "blocked" | "input" | "config" | "adopted" | "not_found" | "unreadable" | "undone";
          queue_id: string;
          started_at: string;
          step: string;
          vendor_request_id: string | null;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "publish_attempts_queue_id_fkey"; columns: ["queue_id"]; isOneToOne: false; referencedRelation: "content_queue"; referencedColumns: ["id"] },
        ];
      };
      recurring_requests: {
        Row: {
          at_local: string;
          created_at: string;
          every: number;
          id: string;
          is_paused: boolean;
          last_occurrence: string | null;
          name: string;
          request: Json;
          starts_on: string;
          unit: "day" | "week";
          until: string | null;
          updated_at: string;
          weekdays: number[];
        };
        Insert: {
          at_local: string;
          every?: number;
          is_paused?: boolean;
          name: string;
          request: Json;
          starts_on?: string;
          unit: "day" | "week";
          until?: string | null;
          weekdays?: number[];
        };
        Update: {
          at_local?: string;
          every?: number;
          is_paused?: boolean;
          name?: string;
          request?: Json;
          starts_on?: string;
          unit?: "day" | "week";
          until?: string | null;
          weekdays?: number[];
        };
        Relationships: [];
      };
      refused_addresses: {
        Row: {
          address: string;
          reason: string;
          refused_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [];
      };
      report_files: {
        Row: {
          content: string;
          content_type: "image/png" | "application/pdf";
          created_at: string;
          id: string;
          name: string;
          report_id: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "report_files_report_id_fkey"; columns: ["report_id"]; isOneToOne: false; referencedRelation: "weekly_reports"; referencedColumns: ["id"] },
        ];
      };
      review_decisions: {
        Row: {
          comment: string;
          content_hash: string;
          decided_at: string;
          decision: "approved" | "changes_requested" | "rejected";
          id: string;
          post_id: string;
          reviewer: string;
          via: "link" | "app" | "cli";
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "review_decisions_post_id_fkey"; columns: ["post_id"]; isOneToOne: false; referencedRelation: "social_posts"; referencedColumns: ["id"] },
        ];
      };
      social_accounts: {
        Row: {
          connected_by: string | null;
          created_at: string;
          data_access_expires_at: string | null;
          display_name: string | null;
          expires_at: string | null;
          external_id: string;
          handle: string | null;
          id: string;
          last_checked_at: string | null;
          organization_id: string;
          paused_until: string | null;
          platform_id: string;
          scopes: string[];
          status: "connected" | "reconnect_needed" | "permission_missing" | "blocked" | "disconnected";
          status_reason: string | null;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "social_accounts_connected_by_fkey"; columns: ["connected_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "social_accounts_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
          { foreignKeyName: "social_accounts_platform_id_fkey"; columns: ["platform_id"]; isOneToOne: false; referencedRelation: "social_platforms"; referencedColumns: ["id"] },
        ];
      };
      social_platforms: {
        Row: {
          api_config: Json;
          created_at: string;
          id: string;
          is_enabled: boolean;
          name: string;
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [];
      };
      social_posts: {
        Row: {
          approved_at: string | null;
          approved_by: string | null;
          approved_hash: string | null;
          content: string;
          content_hash: string;
          created_at: string;
          created_by: string | null;
          escalated_at: string | null;
          findings: Json;
          generation_id: string | null;
          id: string;
          last_error: string | null;
          media: Json;
          platform_ids: string[];
          reminded_at: string | null;
          request_id: string | null;
          request_key: string | null;
          review_requested_at: string | null;
          revision: number;
          scheduled_for: string | null;
          scheduled_local: string | null;
          status: "draft" | "blocked" | "in_review" | "changes_requested" | "rejected" | "approved" | "scheduled" | "published" | "partly_published" | "failed" | "withdrawn" | "archived";
          template_id: string | null;
          time_zone: string | null;
          title: string | null;
          updated_at: string;
          variants: Json;
        };
        Insert: {
          content: string;
          media?: Json;
          platform_ids?: string[];
          scheduled_for?: string | null;
          scheduled_local?: string | null;
          template_id?: string | null;
          title?: string | null;
          variants?: Json;
        };
        Update: {
          content?: string;
          media?: Json;
          platform_ids?: string[];
          scheduled_for?: string | null;
          scheduled_local?: string | null;
          template_id?: string | null;
          title?: string | null;
          variants?: Json;
        };
        Relationships: [
          { foreignKeyName: "social_posts_approved_by_fkey"; columns: ["approved_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "social_posts_created_by_fkey"; columns: ["created_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "social_posts_generation_id_fkey"; columns: ["generation_id"]; isOneToOne: false; referencedRelation: "ai_generation_log"; referencedColumns: ["id"] },
          { foreignKeyName: "social_posts_request_id_fkey"; columns: ["request_id"]; isOneToOne: false; referencedRelation: "content_requests"; referencedColumns: ["id"] },
          { foreignKeyName: "social_posts_template_id_fkey"; columns: ["template_id"]; isOneToOne: false; referencedRelation: "content_templates"; referencedColumns: ["id"] },
        ];
      };
      subscription_history: {
        Row: {
          amount_cents: number;
          billing_date: string | null;
          created_at: string;
          currency: string;
          event_key: string;
          id: string;
          organization_id: string;
          plan: string;
          status: "pending" | "trial" | "active" | "past_due" | "suspended" | "paused" | "cancelled" | "expired";
          subscription_id: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "subscription_history_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
        ];
      };
      usage_counters: {
        Row: {
          alerted_percent: number;
          created_at: string;
          limit_value: number | null;
          metric: "posts_monthly" | "ai_generations" | "social_accounts" | "users" | "api_calls" | "ai_spend_microusd";
          period_end: string;
          period_start: string;
          reserved: number;
          updated_at: string;
          used: number;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [];
      };
      usage_reservations: {
        Row: {
          amount: number;
          created_at: string;
          expires_at: string;
          id: string;
          key: string;
          metric: string;
          period_start: string;
          state: "held" | "committed" | "released";
          updated_at: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [];
      };
      user_permissions: {
        Row: {
          created_at: string;
          granted_by: string | null;
          id: string;
          permission: string;
          resource: string;
          user_id: string;
        };
        Insert: {
          created_at?: string;
          granted_by?: string | null;
          id?: string;
          permission: string;
          resource?: string;
          user_id: string;
        };
        Update: {
          created_at?: string;
          granted_by?: string | null;
          id?: string;
          permission?: string;
          resource?: string;
          user_id?: string;
        };
        Relationships: [
          { foreignKeyName: "user_permissions_granted_by_fkey"; columns: ["granted_by"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
          { foreignKeyName: "user_permissions_user_id_fkey"; columns: ["user_id"]; isOneToOne: false; referencedRelation: "users"; referencedColumns: ["id"] },
        ];
      };
      users: {
        Row: {
          auth_user_id: string | null;
          created_at: string;
          email: string;
          full_name: string | null;
          id: string;
          is_active: boolean;
          notify_leads: boolean;
          organization_id: string;
          phone_e164: string | null;
          quiet_from: string | null;
          quiet_until: string | null;
          role: "owner" | "admin" | "editor" | "approver" | "viewer";
          updated_at: string;
        };
        Insert: {
          email: string;
          full_name?: string | null;
          notify_leads?: boolean;
          phone_e164?: string | null;
          role?: "owner" | "admin" | "editor" | "approver" | "viewer";
        };
        Update: {
          full_name?: string | null;
          is_active?: boolean;
          notify_leads?: boolean;
          phone_e164?: string | null;
          quiet_from?: string | null;
          quiet_until?: string | null;
          role?: "owner" | "admin" | "editor" | "approver" | "viewer";
        };
        Relationships: [
          { foreignKeyName: "users_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
        ];
      };
      weekly_reports: {
        Row: {
          content: Json;
          created_at: string;
          html: string;
          id: string;
          organization_id: string;
          run_id: string | null;
          snapshot_id: string;
          version: number;
          week_start: string;
        };
        Insert: { [name in never]: never };
        Update: { [name in never]: never };
        Relationships: [
          { foreignKeyName: "weekly_reports_organization_id_fkey"; columns: ["organization_id"]; isOneToOne: false; referencedRelation: "organizations"; referencedColumns: ["id"] },
          { foreignKeyName: "weekly_reports_snapshot_id_fkey"; columns: ["snapshot_id"]; isOneToOne: false; referencedRelation: "analytics_snapshots"; referencedColumns: ["id"] },
        ];
      };
    };
    Views: { [name in never]: never };
    Functions: {
      acknowledge_alert: { Args: { alert_id: string }; Returns: boolean };
      answer_about_post: { Args: { queue_id: string; action: string; url?: string }; Returns: string };
      approve_post: { Args: { post_id: string; content_hash: string }; Returns: undefined };
      join_organization: { Args: Record<never, never>; Returns: string };
      reject_post: { Args: { post_id: string; content_hash: string; reason: string }; Returns: undefined };
      request_post_changes: { Args: { post_id: string; content_hash: string; reason: string }; Returns: undefined };
      submit_post: { Args: { post_id: string }; Returns: string };
    };
    Enums: { [name in never]: never };
    CompositeTypes: { [name in never]: never };
  };
};

export type Tables = Database["public"]["Tables"];
export type Row<Name extends keyof Tables> = Tables[Name]["Row"];
